/**
 * What the kubelet's rooms share: the shapes that travel between them and the capabilities that one offers another.
 * Wired in `kubelet.ts` alone. Times are wall-clock milliseconds unless a name says otherwise.
 */
import { HyperupError } from '../base/errors.js';
import type { V1ConfigMap, V1Secret, V1Service } from '../kube/objects.js';
import type { V1Container, V1Handler, V1Pod, V1PodStatus } from '../kube/pod-objects.js';

/** A pod's own UID; for a static pod the one made from its manifest, never its mirror's. */
export type PodUid = string & { readonly brand?: 'PodUid' };
/** The 64 hexadecimal digits, without `docker://`. */
export type ContainerId = string & { readonly brand?: 'ContainerId' };

export type ContainerKind = 'init' | 'sidecar' | 'app' | 'ephemeral';

/** One instance of a container as the engine has it. */
export interface RuntimeContainer {
  readonly id: ContainerId;
  /** As in the pod's specification. */
  readonly name: string;
  readonly podUid: PodUid;
  readonly sandboxId: ContainerId;
  /** 0 for the first instance of that name, then one more each; the restart count. */
  readonly attempt: number;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly createdAtMs: number;
  /** 0 where it never started. */
  readonly startedAtMs: number;
  /** 0 while it has not ended. */
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`; empty while it has not ended. */
  readonly reason: string;
  /** The engine's word on a failure, or the termination message once it was read. */
  readonly message: string;
  /** The name that the status shows: a tag of it, else what was asked for. */
  readonly image: string;
  /** `docker-pullable://repo@sha256:…` or `docker://sha256:…`. */
  readonly imageId: string;
  /** Of the specification that it was made from; another one means that it has to be made anew. */
  readonly hash: string;
  /** On the host; 0 where it doesn't run. */
  readonly pid: number;
  /** The engine's json-file log on the host; empty where the engine logs elsewhere. */
  readonly logPath: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
}

/** One instance of a pod's sandbox: the pause container that holds its namespaces. */
export interface RuntimeSandbox {
  readonly id: ContainerId;
  readonly podUid: PodUid;
  readonly attempt: number;
  readonly state: 'ready' | 'notReady';
  readonly createdAtMs: number;
  readonly hostNetwork: boolean;
  /** Empty for the host's network, and once it has stopped. */
  readonly ips: readonly string[];
  readonly pid: number;
  /** What its containers mount at /etc/resolv.conf; undefined where the engine sees to that. */
  readonly resolvConfPath?: string | undefined;
}

/** All that the engine has of one pod, at one time. */
export interface RuntimePodStatus {
  readonly uid: PodUid;
  readonly name: string;
  readonly namespace: string;
  /** Newest first. */
  readonly sandboxes: readonly RuntimeSandbox[];
  /** Newest first; every instance that is still there. */
  readonly containers: readonly RuntimeContainer[];
}

/** A pod that the engine has something of, wanted or not; from labels alone. */
export interface RuntimePodSummary {
  readonly uid: PodUid;
  readonly name: string;
  readonly namespace: string;
  readonly running: boolean;
  readonly terminationGraceSeconds: number | undefined;
}

/** A file or folder of the host's in a container. */
export interface ContainerBind {
  /** On the host, in the engine's eyes. */
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  readonly propagation: 'rprivate' | 'rslave' | 'rshared';
}

/** A block device of the host's in a container. */
export interface ContainerDevice {
  /** On the host, links followed. */
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

/** Names and values in the order that they were defined, each name once. */
export type Environment = ReadonlyMap<string, string>;

/**
 * A step on the way to a running container failed for good or for now. `reason` is what the status shows as the reason
 * of waiting (`ErrImagePull`, `CreateContainerConfigError`, …) or, for pods, as the event's reason (`FailedMount`).
 */
export class PodFailure extends HyperupError {
  readonly reason: string;

  constructor(reason: string, message: string, cause?: unknown) {
    super('Unhealthy', message, { cause });
    this.name = 'PodFailure';
    this.reason = reason;
  }
}

export interface PodEvents {
  /** On the pod, or on one of its containers; never throws and never waits. */
  pod(pod: V1Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: ContainerOfPod): void;
  node(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

export interface ContainerOfPod {
  readonly name: string;
  readonly kind: ContainerKind;
}

/** The engine as pods see it. Every call rejects with HyperupErrors of the docker room, and never waits for another pod. */
export interface PodRuntime {
  /** Every pod of this kubelet that the engine knows, running or not. One list call. */
  listPods(): Promise<readonly RuntimePodSummary[]>;
  /** One list call and an inspection of what has changed since. Empty lists where there is nothing. */
  podStatus(uid: PodUid): Promise<RuntimePodStatus>;
  /** Creates, starts and inspects; its addresses are in the answer. Throws PodFailure `CreatePodSandboxError`. */
  runPodSandbox(pod: V1Pod, attempt: number): Promise<RuntimeSandbox>;
  stopPodSandbox(id: ContainerId): Promise<void>;
  /**
   * Creates and starts one container, environment, mounts and image ready. Throws PodFailure `CreateContainerError`,
   * `RunContainerError` or `CreateContainerConfigError`.
   */
  startContainer(request: StartContainerRequest): Promise<ContainerId>;
  /** Waits until it has stopped; kills after the grace. Quiet where it is gone. */
  stopContainer(id: ContainerId, graceSeconds: number): Promise<void>;
  /** With its log links. */
  removeContainer(id: ContainerId): Promise<void>;
  /** All containers and sandboxes of a pod, links and cgroup. Idempotent. */
  removePod(uid: PodUid): Promise<void>;
  /** Without terminal and stdin, output capped at `limitBytes`; the process is ended on a time-out (`Timeout`). */
  execSync(
    id: ContainerId,
    command: readonly string[],
    options: { readonly timeoutMs?: number | undefined; readonly limitBytes: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  updateResources(id: ContainerId, pod: V1Pod, container: V1Container): Promise<void>;
}

/** A way for pods to the engine's network on which the engine does nothing. */
export interface PodNetwork {
  /** What the pod's sandbox is to be made with; undefined where the engine shall connect it. Never throws. */
  planFor(pod: V1Pod): Promise<{ readonly sysctls: Readonly<Record<string, string>> } | undefined>;
  /** Connects a sandbox's network namespace by its first process; gives its addresses. */
  attach(pid: number): Promise<readonly string[]>;
  /** Of a running sandbox that was connected so, be it by an earlier kubelet; empty where it wasn't. Never throws. */
  addressesOf(pid: number): Promise<readonly string[]>;
}

export interface StartContainerRequest {
  readonly pod: V1Pod;
  readonly container: V1Container;
  readonly kind: ContainerKind;
  readonly sandbox: RuntimeSandbox;
  readonly attempt: number;
  /** The local image id. */
  readonly imageId: string;
  readonly environment: Environment;
  readonly binds: readonly ContainerBind[];
  readonly devices: readonly ContainerDevice[];
  /** For an ephemeral container with a target: whose processes it sees. */
  readonly targetContainerId?: ContainerId | undefined;
}

export interface Images {
  /**
   * Sees to it that the container's image is here, by its pull policy and with the pod's secrets; events included. Gives
   * the local id. Throws PodFailure `ErrImagePull`, `ImagePullBackOff`, `ErrImageNeverPull`, `InvalidImageName`,
   * `ImageInspectError`.
   */
  ensureImage(pod: V1Pod, container: ContainerWithKind, signal: AbortSignal): Promise<string>;
}

export interface ContainerWithKind {
  readonly container: V1Container;
  readonly kind: ContainerKind;
}

export interface EnvironmentMaker {
  /** Throws PodFailure `CreateContainerConfigError` for what is missing and not optional. */
  makeEnvironment(pod: V1Pod, container: V1Container, podIps: readonly string[]): Promise<Environment>;
}

export interface Volumes {
  /**
   * Sets up all volumes of a pod, at once where they are there. Called at each sync, which renews their content. Throws
   * PodFailure `FailedMount`.
   */
  ensureMounted(pod: V1Pod, signal: AbortSignal): Promise<void>;
  /** What a container mounts of them, subpaths made. Throws PodFailure `CreateContainerConfigError`. */
  containerBinds(pod: V1Pod, container: V1Container, environment: Environment): Promise<readonly ContainerBind[]>;
  /** Its `volumeDevices`. Throws PodFailure `CreateContainerConfigError`. */
  containerDevices(pod: V1Pod, container: V1Container): Promise<readonly ContainerDevice[]>;
  /** Unmounts and removes all of a pod's folder; true once nothing is left. Idempotent; nothing below a mount is ever deleted. */
  tearDown(uid: PodUid): Promise<boolean>;
  /** Pods that have a folder. */
  podsOnDisk(): Promise<readonly PodUid[]>;
}

/** Files of the pod's that its containers get beside volumes. */
export interface PodFiles {
  /** /etc/hosts unless the container mounts its own, /dev/termination-log (a new file each start). Folders are made. */
  containerBinds(
    pod: V1Pod,
    container: V1Container,
    attempt: number,
    podIps: readonly string[],
  ): Promise<readonly ContainerBind[]>;
  /** The termination message of an instance that has ended; `limitBytes` cut. Empty where there is none. */
  readTerminationMessage(pod: V1Pod, container: RuntimeContainer, limitBytes: number): Promise<string>;
}

export interface Hooks {
  /** Runs a lifecycle handler; throws what made it fail, with its output in the message. */
  run(
    pod: V1Pod,
    container: V1Container,
    id: ContainerId,
    handler: V1Handler,
    podIp: string,
    signal: AbortSignal,
  ): Promise<void>;
}

export type ProbeKind = 'startup' | 'readiness' | 'liveness';
export type ProbeResult = 'success' | 'failure' | 'unknown';

/** Results of probes as of now, by instance. */
export interface ProbeResults {
  /** Undefined where that container has no such probe or its instance was not probed yet. */
  result(id: ContainerId, kind: ProbeKind): ProbeResult | undefined;
}

export interface Probes extends ProbeResults {
  /** Idempotent; starts workers for containers that have probes. */
  addPod(pod: V1Pod): void;
  /** A pod that is being deleted: liveness and startup stop, readiness goes on. */
  stopLiveness(uid: PodUid): void;
  removePod(uid: PodUid): void;
}

/** Pods' statuses as of now, and the way to the API server. */
export interface Statuses {
  get(uid: PodUid): V1PodStatus | undefined;
  /** Remembers and sends it; equal ones are not sent. A terminal phase never changes. Never waits. */
  set(pod: V1Pod, status: V1PodStatus): void;
  /** Resolves true when the newest status set for the pod was taken by the API server (or there is none to tell). */
  isReported(uid: PodUid): boolean;
  /** Ends what is known of it. */
  forget(uid: PodUid): void;
}

export interface Pleg {
  /** The newest known; undefined where nothing was seen of it. */
  status(uid: PodUid): RuntimePodStatus | undefined;
  /** Asks the engine now; what it finds is known to `status` afterwards. */
  refresh(uid: PodUid): Promise<RuntimePodStatus>;
  /** What the engine has of all pods, by the newest relist. */
  pods(): readonly RuntimePodSummary[];
}

/** Config maps and secrets that registered pods refer to; by name, as the node authorizer wants. */
export interface ObjectCache {
  registerPod(pod: V1Pod): void;
  unregisterPod(uid: PodUid): void;
  /** From the cache once it has synced. Undefined where the object doesn't exist. Throws where the server refuses or can't be reached and nothing is known. */
  configMap(namespace: string, name: string): Promise<V1ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<V1Secret | undefined>;
}

export interface Services {
  /** Waits for the first list. */
  services(): Promise<readonly V1Service[]>;
}

/** What the kubelet is told about itself, once at its start. */
export interface KubeletIdentity {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  /** Tells this kubelet's containers from another's on the same engine: a label's value. */
  readonly instance: string;
  /** `/var/lib/kubelet`, as the kubelet and the host both see it. */
  readonly rootDir: string;
  readonly podLogDir: string;
  /**
   * Where the host's own root folder is seen from here: empty in the foreground, `/proc/<pid>/root` of
   * a process of the host's in a container.
   */
  readonly hostRoot: string;
}
