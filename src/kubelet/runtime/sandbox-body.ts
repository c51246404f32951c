import type { ContainerCreateBody, HostConfigBody } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { isHostNetwork } from '../pod/pod-names.js';
import type { KubeletIdentity } from '../types.js';
import { makeSandboxLabels } from './labels.js';
import { sandboxOomScore } from './resources.js';
import { sandboxUser, seLinuxOptions, supplementalGroups } from './security.js';

export interface SandboxBodyOptions {
  readonly pod: V1Pod;
  readonly attempt: number;
  readonly identity: Pick<KubeletIdentity, 'instance'>;
  readonly pauseImage: string;
  /** Ignored on the host's network. */
  readonly hostname: string;
  readonly cgroupParent: string | undefined;
  /** The engine's own where undefined. */
  readonly runtime: string | undefined;
  readonly logConfig: HostConfigBody['LogConfig'];
  /** Where the kubelet connects it and not the engine. */
  readonly ownNetwork?: OwnNetwork | undefined;
}

export interface OwnNetwork {
  readonly sysctls: Readonly<Record<string, string>>;
  readonly resolvConfPath: string;
}

type PortBindings = Record<string, { readonly HostIp: string; readonly HostPort: string }[]>;

/** As containers get it from the engine where nobody says. */
const shmSizeBytes = 64 * 1024 * 1024;

/**
 * The container that holds a pod's namespaces (v1.20 `dockershim/docker_sandbox.go` `makeSandboxDockerConfig`). Throws
 * PodFailure `CreatePodSandboxError`.
 */
export function makeSandboxBody(options: SandboxBodyOptions): ContainerCreateBody {
  const { pod, cgroupParent, ownNetwork } = options;
  const hostNetwork = isHostNetwork(pod);
  const bindings = hostNetwork ? {} : portBindings(pod);
  const ports = Object.keys(bindings);
  const groups = supplementalGroups(pod);
  const sysctls = { ...ownNetwork?.sysctls, ...sysctlsOf(pod) };
  const user = sandboxUser(pod);
  return {
    Image: options.pauseImage,
    ...(hostNetwork ? {} : { Hostname: options.hostname }),
    ...(user === undefined ? {} : { User: user }),
    Labels: makeSandboxLabels(pod, options.attempt, options.identity, ownNetwork?.resolvConfPath),
    ...(ownNetwork ? { NetworkDisabled: true } : {}),
    Healthcheck: { Test: ['NONE'] },
    ...(ports.length > 0 ? { ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])) } : {}),
    HostConfig: {
      NetworkMode: hostNetwork ? 'host' : ownNetwork ? 'none' : 'default',
      IpcMode: pod.spec?.hostIPC ? 'host' : 'shareable',
      ...(pod.spec?.hostPID ? { PidMode: 'host' } : {}),
      ...(cgroupParent === undefined ? {} : { CgroupParent: cgroupParent }),
      CpuShares: 2,
      OomScoreAdj: sandboxOomScore,
      ShmSize: shmSizeBytes,
      ...(Object.keys(sysctls).length > 0 ? { Sysctls: sysctls } : {}),
      SecurityOpt: ['no-new-privileges', ...seLinuxOptions(pod.spec?.securityContext?.seLinuxOptions)],
      ...(groups.length > 0 ? { GroupAdd: groups } : {}),
      ...(ports.length > 0 ? { PortBindings: bindings } : {}),
      ...(options.runtime === undefined ? {} : { Runtime: options.runtime }),
      RestartPolicy: { Name: 'no' },
      LogConfig: options.logConfig,
    },
  };
}

function sysctlsOf({ spec }: V1Pod): Readonly<Record<string, string>> {
  return Object.fromEntries((spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value]));
}

/** Ports of the host's that lead into the pod; a container's port alone publishes nothing. Sidecars' count too. */
function portBindings(pod: V1Pod): PortBindings {
  const bindings: PortBindings = {};
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const port of container.ports ?? []) {
      if (!port.hostPort) continue;
      const key = `${port.containerPort}/${(port.protocol ?? 'TCP').toLowerCase()}`;
      bindings[key] = [...(bindings[key] ?? []), { HostIp: port.hostIP ?? '', HostPort: String(port.hostPort) }];
    }
  }
  return bindings;
}
