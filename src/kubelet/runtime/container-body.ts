import type { ContainerCreateBody, HostConfigBody, MountBody } from '../../docker/runtime-types.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { expandArgs } from '../pod/expansion.js';
import { isHostNetwork } from '../pod/pod-names.js';
import type { ContainerBind, ContainerDevice, KubeletIdentity, StartContainerRequest } from '../types.js';
import { makeContainerLabels } from './labels.js';
import { containerResources, oomScoreOf } from './resources.js';
import { containerSecurity, containerUser, type ImageUser } from './security.js';

export interface ContainerBodyOptions {
  readonly request: StartContainerRequest;
  readonly identity: Pick<KubeletIdentity, 'instance'>;
  readonly imageUser: ImageUser;
  /** `SecurityOpt` of seccomp and AppArmor. */
  readonly profiles: readonly string[];
  readonly logPath: string;
  readonly cgroupParent: string | undefined;
  readonly runtime: string | undefined;
  readonly logConfig: HostConfigBody['LogConfig'];
  readonly nodeMemoryBytes: number;
  readonly podPidsLimit: number;
  readonly cgroupVersion: 1 | 2;
  readonly apiVersion: string;
}

/**
 * One container of a pod, in its sandbox's namespaces (v1.20 `dockershim/docker_container.go`). Host name, ports and
 * name servers are the sandbox's: the engine refuses them here. Throws `InvalidConfig` on a malformed quantity.
 */
export function makeContainerBody(options: ContainerBodyOptions): ContainerCreateBody {
  const { request, cgroupParent } = options;
  const { pod, container, environment, sandbox } = request;
  const joined = `container:${sandbox.id}`;
  const entrypoint = expandArgs(container.command ?? [], environment);
  const command = expandArgs(container.args ?? [], environment);
  const pidMode = pidModeOf(request);
  return {
    Image: request.imageId,
    ...(entrypoint.length > 0 ? { Entrypoint: entrypoint } : {}),
    ...(command.length > 0 ? { Cmd: command } : {}),
    Env: [...environment].map(([name, value]) => `${name}=${value}`),
    ...(container.workingDir ? { WorkingDir: container.workingDir } : {}),
    User: containerUser(pod, container, options.imageUser),
    OpenStdin: container.stdin === true,
    StdinOnce: container.stdinOnce === true,
    Tty: container.tty === true,
    Labels: makeContainerLabels({
      pod,
      container,
      attempt: request.attempt,
      sandboxId: sandbox.id,
      logPath: options.logPath,
      identity: options.identity,
    }),
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: joined,
      IpcMode: joined,
      ...(pidMode === undefined ? {} : { PidMode: pidMode }),
      ...(isHostNetwork(pod) ? { UTSMode: 'host' } : {}),
      ...(cgroupParent === undefined ? {} : { CgroupParent: cgroupParent }),
      ...cgroupNamespace(container, options),
      Mounts: request.binds.map((bind) => makeMount(bind, options.apiVersion)),
      ...(request.devices.length > 0 ? { Devices: request.devices.map(makeDevice) } : {}),
      ...containerResources(container),
      ...(options.podPidsLimit > 0 ? { PidsLimit: options.podPidsLimit } : {}),
      OomScoreAdj: oomScoreOf(pod, container, options.nodeMemoryBytes),
      ...containerSecurity(pod, container, options.profiles),
      ...(options.runtime === undefined ? {} : { Runtime: options.runtime }),
      RestartPolicy: { Name: 'no' },
      LogConfig: options.logConfig,
    },
  };
}

function pidModeOf(request: StartContainerRequest): string | undefined {
  const { pod, sandbox, targetContainerId } = request;
  const spec: Partial<NonNullable<V1Pod['spec']>> = pod.spec ?? {};
  if (spec.hostPID) return 'host';
  if (spec.shareProcessNamespace) return `container:${sandbox.id}`;
  return targetContainerId === undefined ? undefined : `container:${targetContainerId}`;
}

/** On version 2 whoever may change cgroups has to see them all; others see their own, by the engine's default. */
function cgroupNamespace(container: V1Container, options: ContainerBodyOptions): Pick<HostConfigBody, 'CgroupnsMode'> {
  return options.cgroupVersion === 2 && container.securityContext?.privileged ? { CgroupnsMode: 'host' } : {};
}

/** A source that is absent fails the start; with `Binds` the engine would make a folder of root's instead. */
export function makeMount(bind: ContainerBind, apiVersion: string): MountBody {
  return {
    Type: 'bind',
    Source: bind.hostPath,
    Target: bind.containerPath,
    ReadOnly: bind.readOnly,
    BindOptions: {
      // Left to the engine where nothing is asked: of a folder that holds the engine's own it shares what it must.
      ...(bind.propagation === 'rprivate' ? {} : { Propagation: bind.propagation }),
      // What is mounted below stays writable in Kubernetes; from this version on the engine thinks otherwise.
      ...(bind.readOnly && atLeast(apiVersion, 1, 44) ? { ReadOnlyNonRecursive: true } : {}),
    },
  };
}

/** Without `w` the kernel refuses writing, whoever asks (v1.20 `kubelet_pods.go`, `makeBlockVolumes`). */
function makeDevice(device: ContainerDevice): NonNullable<HostConfigBody['Devices']>[number] {
  return {
    PathOnHost: device.hostPath,
    PathInContainer: device.containerPath,
    CgroupPermissions: device.readOnly ? 'r' : 'rwm',
  };
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
