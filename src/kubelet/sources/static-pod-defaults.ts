import type { V1Container, V1Handler, V1HttpGetAction, V1PodSpec, V1Probe, V1Volume } from '../../kube/pod-objects.js';

/**
 * What the API server would fill in of a pod's spec; static pods don't pass it (v1.20 `apis/core/v1/defaults.go`,
 * `zz_generated.defaults.go`).
 */
export function withPodDefaults(spec: V1PodSpec): V1PodSpec {
  const fill = (container: V1Container) => withContainerDefaults(container, spec.hostNetwork === true);
  return {
    ...spec,
    restartPolicy: spec.restartPolicy ?? 'Always',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName ?? 'default-scheduler',
    enableServiceLinks: spec.enableServiceLinks ?? true,
    containers: spec.containers.map(fill),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(fill) } : {}),
    ...(spec.volumes ? { volumes: spec.volumes.map(withVolumeDefaults) } : {}),
  };
}

function withContainerDefaults(container: V1Container, hostNetwork: boolean): V1Container {
  const { ports, resources, lifecycle } = container;
  const { livenessProbe, readinessProbe, startupProbe } = container;
  return {
    ...container,
    imagePullPolicy:
      container.imagePullPolicy ?? (tagOf(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent'),
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'File',
    ...(resources?.limits
      ? { resources: { ...resources, requests: { ...resources.limits, ...resources.requests } } }
      : {}),
    ...(ports
      ? {
          ports: ports.map((port) => ({
            ...port,
            protocol: port.protocol ?? 'TCP',
            ...(hostNetwork && !port.hostPort ? { hostPort: port.containerPort } : {}),
          })),
        }
      : {}),
    ...(livenessProbe ? { livenessProbe: withProbeDefaults(livenessProbe) } : {}),
    ...(readinessProbe ? { readinessProbe: withProbeDefaults(readinessProbe) } : {}),
    ...(startupProbe ? { startupProbe: withProbeDefaults(startupProbe) } : {}),
    ...(lifecycle
      ? {
          lifecycle: {
            ...(lifecycle.postStart ? { postStart: withHandlerDefaults(lifecycle.postStart) } : {}),
            ...(lifecycle.preStop ? { preStop: withHandlerDefaults(lifecycle.preStop) } : {}),
          },
        }
      : {}),
  };
}

/** What follows the last colon of the last part; `latest` where there is neither a tag nor a digest. */
function tagOf(image: string): string {
  const [name = ''] = image.split('@');
  const last = name.slice(name.lastIndexOf('/') + 1);
  const colon = last.indexOf(':');
  if (colon >= 0) return last.slice(colon + 1);
  return image.includes('@') ? '' : 'latest';
}

function withProbeDefaults(probe: V1Probe): V1Probe {
  return {
    ...probe,
    ...withHandlerDefaults(probe),
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

function withHandlerDefaults(handler: V1Handler): V1Handler {
  return handler.httpGet ? { ...handler, httpGet: withHttpDefaults(handler.httpGet) } : handler;
}

function withHttpDefaults(action: V1HttpGetAction): V1HttpGetAction {
  return { ...action, path: action.path || '/', scheme: action.scheme ?? 'HTTP' };
}

function withVolumeDefaults(volume: V1Volume): V1Volume {
  const { secret, configMap, downwardAPI, projected, hostPath } = volume;
  const mode = 0o644;
  if (Object.keys(volume).every((key) => key === 'name')) return { ...volume, emptyDir: {} };
  return {
    ...volume,
    ...(hostPath ? { hostPath: { ...hostPath, type: hostPath.type ?? '' } } : {}),
    ...(secret ? { secret: { ...secret, defaultMode: secret.defaultMode ?? mode } } : {}),
    ...(configMap ? { configMap: { ...configMap, defaultMode: configMap.defaultMode ?? mode } } : {}),
    ...(downwardAPI ? { downwardAPI: { ...downwardAPI, defaultMode: downwardAPI.defaultMode ?? mode } } : {}),
    ...(projected ? { projected: { ...projected, defaultMode: projected.defaultMode ?? mode } } : {}),
  };
}
