import { HyperupError } from '../../base/errors.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { PodFailure, type PodUid } from '../types.js';

const sourceAnnotation = 'kubernetes.io/config.source';
const mirrorAnnotation = 'kubernetes.io/config.mirror';
const systemCriticalPriority = 2_000_000_000;
const maxHostnameLength = 63;
const maxFqdnLength = 64;

/** `name_namespace`: an underscore is in neither (v1.20 `pkg/kubelet/container/runtime.go`). */
export function podFullName(pod: V1Pod): string {
  return `${pod.metadata?.name ?? ''}_${pod.metadata?.namespace ?? ''}`;
}

/** The pod's own UID; for a mirror pod that of the static pod it mirrors. Not validated: see `validPathPart`. */
export function podUidOf(pod: V1Pod): PodUid {
  return pod.metadata?.annotations?.[mirrorAnnotation] ?? pod.metadata?.uid ?? '';
}

/**
 * Where the pod came from: `api`, `file` or `http`. Sources write it into the annotation, over what an API pod may say
 * there itself.
 */
export function configSource(pod: V1Pod): string {
  return pod.metadata?.annotations?.[sourceAnnotation] ?? 'api';
}

/** From a manifest, not from the API server. A mirror pod is none. */
export function isStaticPod(pod: V1Pod): boolean {
  return configSource(pod) !== 'api' && !isMirrorPod(pod);
}

/** The API server's image of a static pod. */
export function isMirrorPod(pod: V1Pod): boolean {
  return pod.metadata?.annotations?.[mirrorAnnotation] !== undefined;
}

/** Static and mirror pods, and those of a system priority: the last to go (v1.20 `pkg/kubelet/types/pod_update.go`). */
export function isCriticalPod(pod: V1Pod): boolean {
  return isStaticPod(pod) || isMirrorPod(pod) || (pod.spec?.priority ?? 0) >= systemCriticalPriority;
}

export function isHostNetwork(pod: V1Pod): boolean {
  return pod.spec?.hostNetwork === true;
}

export interface PodHostname {
  /** At most 63 characters. */
  readonly hostname: string;
  /** `<subdomain>.<namespace>.svc.<cluster domain>`; empty without a subdomain and on the host's network. */
  readonly domain: string;
  /** Where the pod wants it: what the kernel shall call the pod instead of `hostname`. */
  readonly fqdn?: string;
}

/**
 * What the pod is called inside: its `hostname` or its name, cut; on the host's network what the node is called. Throws
 * PodFailure `CreatePodSandboxError` where the wanted FQDN is longer than 64 characters (v1.20 `kubelet_pods.go`
 * `GeneratePodHostNameAndDomain`, `util/util_linux.go` `GetNodenameForKernel`).
 */
export function hostnameOf(pod: V1Pod, nodeHostname: string, clusterDomain = 'cluster.local'): PodHostname {
  if (isHostNetwork(pod)) return { hostname: nodeHostname, domain: '' };
  const wanted = pod.spec?.hostname ?? '';
  const whole = wanted === '' ? (pod.metadata?.name ?? '') : wanted;
  const hostname = whole.length > maxHostnameLength ? whole.slice(0, maxHostnameLength).replace(/[-.]+$/, '') : whole;
  const subdomain = pod.spec?.subdomain ?? '';
  if (subdomain === '') return { hostname, domain: '' };
  const domain = `${subdomain}.${pod.metadata?.namespace ?? ''}.svc.${clusterDomain}`;
  if (pod.spec?.setHostnameAsFQDN !== true) return { hostname, domain };
  const fqdn = `${hostname}.${domain}`;
  if (fqdn.length > maxFqdnLength) {
    throw new PodFailure(
      'CreatePodSandboxError',
      `Failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long (${maxFqdnLength} characters is the max, ${fqdn.length} characters requested)`,
    );
  }
  return { hostname, domain, fqdn };
}

/**
 * The name, good as one part of a path; to be asked before any name or UID of a pod becomes a folder's. Throws
 * `InvalidConfig` for what would leave the folder: empty, `.`, `..`, with a slash or a zero byte.
 */
export function validPathPart(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new HyperupError('InvalidConfig', `use "${name}" in a path: it is not the name of one file`, {
      details: { name },
    });
  }
  return name;
}
