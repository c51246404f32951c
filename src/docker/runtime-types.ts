import type { Duplex, Readable } from 'node:stream';
import type { PullOptions } from './types.js';

/** The parts of the body of `POST /containers/create` that pods use, spelled as the Engine API spells them. */
export interface ContainerCreateBody {
  readonly Image: string;
  readonly Hostname?: string | undefined;
  readonly Domainname?: string | undefined;
  readonly Entrypoint?: readonly string[] | undefined;
  readonly Cmd?: readonly string[] | undefined;
  readonly Env?: readonly string[] | undefined;
  readonly WorkingDir?: string | undefined;
  readonly User?: string | undefined;
  readonly OpenStdin?: boolean | undefined;
  readonly StdinOnce?: boolean | undefined;
  readonly Tty?: boolean | undefined;
  readonly Labels?: Readonly<Record<string, string>> | undefined;
  readonly ExposedPorts?: Readonly<Record<string, object>> | undefined;
  /** The engine makes the network namespace and nothing in it, and writes no hosts and no resolver file. */
  readonly NetworkDisabled?: boolean | undefined;
  readonly Healthcheck?: { readonly Test: readonly string[] } | undefined;
  readonly HostConfig: HostConfigBody;
}

export interface MountBody {
  readonly Type: 'bind';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly BindOptions?: {
    readonly Propagation?: 'rprivate' | 'rslave' | 'rshared' | undefined;
    /** From API 1.44, where a read-only bind is recursive otherwise. */
    readonly ReadOnlyNonRecursive?: boolean | undefined;
  };
}

export interface ResourcesBody {
  readonly CpuShares?: number | undefined;
  readonly CpuPeriod?: number | undefined;
  readonly CpuQuota?: number | undefined;
  readonly Memory?: number | undefined;
  readonly MemorySwap?: number | undefined;
  readonly PidsLimit?: number | undefined;
}

export interface HostConfigBody extends ResourcesBody {
  readonly NetworkMode?: string | undefined;
  readonly IpcMode?: string | undefined;
  readonly PidMode?: string | undefined;
  readonly UTSMode?: string | undefined;
  readonly CgroupnsMode?: 'host' | 'private' | undefined;
  readonly CgroupParent?: string | undefined;
  readonly Mounts?: readonly MountBody[] | undefined;
  readonly PortBindings?:
    | Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>
    | undefined;
  readonly Privileged?: boolean | undefined;
  readonly ReadonlyRootfs?: boolean | undefined;
  readonly CapAdd?: readonly string[] | undefined;
  readonly CapDrop?: readonly string[] | undefined;
  readonly GroupAdd?: readonly string[] | undefined;
  readonly SecurityOpt?: readonly string[] | undefined;
  readonly MaskedPaths?: readonly string[] | undefined;
  readonly ReadonlyPaths?: readonly string[] | undefined;
  readonly Sysctls?: Readonly<Record<string, string>> | undefined;
  readonly OomScoreAdj?: number | undefined;
  readonly ShmSize?: number | undefined;
  readonly Runtime?: string | undefined;
  readonly Devices?:
    | readonly { readonly PathOnHost: string; readonly PathInContainer: string; readonly CgroupPermissions: string }[]
    | undefined;
  readonly RestartPolicy?: { readonly Name: 'no' } | undefined;
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> } | undefined;
}

/** What an inspection says, times as milliseconds since the epoch (0: never). */
export interface ContainerInspection {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  /** As it was asked for at creation. */
  readonly imageName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly logPath: string;
  readonly resolvConfPath: string;
  readonly networkMode: string;
  /** Of all its networks, IPv4 first; empty where it has none or does not run. */
  readonly ips: readonly string[];
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
}

/** One of the list, which has less than an inspection. */
export interface ContainerListing {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly state: ContainerInspection['status'];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
}

export interface ContainerEvent {
  readonly id: string;
  /** `create`, `start`, `die`, `oom`, `destroy`, … */
  readonly action: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
}

/** A process's streams. Output is paused while its reader is; `stdin` ends the process's input. */
export interface ProcessStreams {
  /** Undefined where it wasn't asked for. */
  readonly stdin: Duplex | undefined;
  /** With a terminal everything is here. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once all output has been given; rejects on a broken connection or a cut frame. */
  readonly ended: Promise<void>;
  /** Cuts the connection; the process goes on. */
  destroy(): void;
}

export interface ExecSpec {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

export interface RunningExec extends ProcessStreams {
  readonly execId: string;
  resize(size: TerminalSize): Promise<void>;
  /** After `ended`: the exit code, asked for until the engine knows it. */
  exitCode(): Promise<number>;
  /** The process's id on the host; 0 where it has ended. */
  pid(): Promise<number>;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface EngineImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** `Config.User` of the image. */
  readonly user: string;
  readonly createdAtMs: number;
}

export interface ContainerLogOptions {
  readonly follow?: boolean | undefined;
  readonly tail?: number | undefined;
  readonly sinceMs?: number | undefined;
  readonly timestamps?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One reading of the engine's statistics; absent where the engine or the kernel doesn't tell. */
export interface ContainerStats {
  readonly timeMs: number;
  readonly cpuUsageNanoseconds: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  readonly processes: number;
  readonly networks: Readonly<Record<string, NetworkStats>>;
}

export interface NetworkStats {
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

/**
 * The engine as a kubelet needs it: raw create bodies, streams with back-pressure, events. Owned by the caller, who
 * closes it. Calls may run at once; each has a time limit of its own unless it is a stream, a pull or a stop.
 * Errors: `NotFound`, `Conflict`, `EngineFailed`, `EngineUnreachable`, `Timeout`, `Aborted`.
 */
export interface RuntimeEngine {
  /** The pinned API version, `1.41`. */
  readonly apiVersion: string;
  readonly engineVersion: string;
  /** `NotFound` where the image isn't here, `Conflict` with `details.containerId` where the name is taken. */
  createContainer(name: string, body: ContainerCreateBody): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL; resolves once it has ended. Quiet where it is stopped or gone. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  /** Quiet where it doesn't run. */
  killContainer(id: string, signal: string): Promise<void>;
  /** With force and its anonymous volumes. False where it was not there. */
  removeContainer(id: string): Promise<boolean>;
  updateContainer(id: string, resources: ResourcesBody): Promise<void>;
  /** Undefined where it is gone. */
  inspectContainer(id: string): Promise<ContainerInspection | undefined>;
  /** All of them, whatever their state, that bear every label (`key` or `key=value`). */
  listContainers(labels: readonly string[]): Promise<readonly ContainerListing[]>;
  /** From now on, until the signal fires (`Aborted`) or the connection breaks; the first `next()` starts it. */
  containerEvents(labels: readonly string[], signal: AbortSignal): AsyncGenerator<ContainerEvent>;
  startExec(id: string, spec: ExecSpec): Promise<RunningExec>;
  /** `stdin` as wanted; the terminal is the container's own. */
  attachContainer(id: string, streams: { readonly stdin: boolean; readonly tty: boolean }): Promise<ProcessStreams>;
  resizeContainer(id: string, size: TerminalSize): Promise<void>;
  /** For log drivers that leave no file. */
  containerLogs(id: string, tty: boolean, options: ContainerLogOptions): Promise<ProcessStreams>;
  containerStats(id: string): Promise<ContainerStats | undefined>;
  /** Undefined where the engine has no such image. */
  inspectImage(reference: string): Promise<EngineImage | undefined>;
  listImages(): Promise<readonly EngineImage[]>;
  pullImage(reference: string, options?: PullOptions): Promise<void>;
  /** One reference, or an id with all its tags. False where it was not there, `Conflict` where a container uses it. */
  removeImage(reference: string): Promise<boolean>;
  /** Bytes that images take. */
  imageDiskUsage(): Promise<number>;
  info(): Promise<RuntimeInfo>;
  /** The network that containers are in where nobody says; undefined where the engine has none, or none with IPv4. */
  bridgeNetwork(): Promise<BridgeNetwork | undefined>;
  close(): void;
}

export interface RuntimeInfo {
  readonly version: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  readonly cgroupVersion: 1 | 2;
  readonly rootDir: string;
  readonly logDriver: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly runtimes: readonly string[];
  /** The name of the runtime that containers get where nobody says; empty where the engine doesn't tell. */
  readonly defaultRuntime: string;
}

/** The engine's default network. */
export interface BridgeNetwork {
  /** The bridge's interface, `docker0`. */
  readonly link: string;
  /** Its IPv4 range, `172.17.0.0/16`. */
  readonly subnet: string;
  readonly gateway: string | undefined;
  /** The part of the range that the engine gives addresses from, where it isn't all of it. */
  readonly range: string | undefined;
  readonly mtu: number;
  /** It has IPv6 too. */
  readonly ipv6: boolean;
}
