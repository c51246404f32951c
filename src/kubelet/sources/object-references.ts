import type { V1Pod } from '../../kube/pod-objects.js';

export type CachedKind = 'ConfigMap' | 'Secret';

/** A config map or secret of the pod's namespace. */
export interface ObjectReference {
  readonly kind: CachedKind;
  readonly name: string;
}

/**
 * Every config map and secret that a pod names, each once: volumes, projections, environment, image pull secrets
 * (v1.20 `pkg/api/v1/pod/util.go` VisitPodSecretNames, VisitPodConfigmapNames).
 */
export function objectReferencesOf(pod: V1Pod): readonly ObjectReference[] {
  const found = new Map<string, ObjectReference>();
  const add = (kind: CachedKind, name: string | undefined) => {
    if (name) found.set(`${kind}/${name}`, { kind, name });
  };
  const { spec } = pod;
  for (const { name } of spec?.imagePullSecrets ?? []) add('Secret', name);
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const { env = [], envFrom = [] } of containers) {
    for (const { configMapRef, secretRef } of envFrom) {
      add('ConfigMap', configMapRef?.name);
      add('Secret', secretRef?.name);
    }
    for (const { valueFrom } of env) {
      add('ConfigMap', valueFrom?.configMapKeyRef?.name);
      add('Secret', valueFrom?.secretKeyRef?.name);
    }
  }
  for (const { configMap, secret, projected } of spec?.volumes ?? []) {
    add('ConfigMap', configMap?.name);
    add('Secret', secret?.secretName);
    for (const source of projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  return [...found.values()];
}
