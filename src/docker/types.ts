import type { Readable } from 'node:stream';

/** What every container, image and volume of ours carries; nothing is ever found by name alone. */
export const managedLabel = 'io.hyperup.managed';
export const roleLabel = 'io.hyperup.role';

export interface EngineInfo {
  readonly endpoint: string;
  readonly version: string;
  /** The API version that was negotiated and is now pinned. */
  readonly apiVersion: string;
  readonly minApiVersion: string;
  readonly maxApiVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  readonly cgroupVersion: 1 | 2;
  readonly storageDriver: string;
  readonly rootDir: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
  readonly rootless: boolean;
  readonly liveRestore: boolean;
  readonly warnings: readonly string[];
}

export interface ImageSummary {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  readonly createdAt: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Digests of the uncompressed layers, bottom first. */
  readonly layers?: readonly string[] | undefined;
}

export interface PullProgress {
  readonly currentBytes: number;
  readonly totalBytes: number;
  readonly status: string;
}

export interface PullOptions {
  readonly auth?: { readonly username: string; readonly password: string; readonly serveraddress: string };
  readonly onProgress?: (progress: PullProgress) => void;
  /** Fails with `Timeout` when the engine reports nothing for this long. */
  readonly stallMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly platform?: string;
}

export interface BuildOptions {
  readonly tag: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface ImageEngine {
  /** Undefined where the engine has no such image. */
  inspectImage(reference: string): Promise<ImageSummary | undefined>;
  listImages(labels?: Readonly<Record<string, string>>): Promise<readonly ImageSummary[]>;
  /** Rejects on the engine's in-band errors, on a stall, on abort and on an early end of the stream. */
  pullImage(reference: string, options?: PullOptions): Promise<void>;
  tagImage(source: string, target: string): Promise<void>;
  /** Removes one reference (or an id). False where it was not there. */
  removeImage(reference: string, options?: { readonly force?: boolean }): Promise<boolean>;
  loadImage(tar: Readable, options?: { readonly onLine?: (line: string) => void }): Promise<readonly string[]>;
  saveImages(references: readonly string[]): Promise<Readable>;
  /** Classic builder; `context` is a tar stream with a Dockerfile in it. Gives the image id. */
  buildImage(context: Readable, options: BuildOptions): Promise<string>;
  /** Makes an image of one layer from a root file system's tar. Gives the image id. */
  importImage(tar: Readable, reference: string, changes?: readonly string[]): Promise<string>;
}

export interface ContainerMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
  readonly propagation?: 'rprivate' | 'rslave' | 'rshared';
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly mounts?: readonly ContainerMount[];
  readonly tmpfs?: readonly string[];
  readonly networkMode?: string;
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly cgroupnsMode?: 'host' | 'private';
  readonly privileged?: boolean;
  readonly restart?: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  readonly workingDir?: string;
  readonly user?: string;
  readonly logMaxSize?: string;
  readonly logMaxFiles?: number;
  readonly ports?: readonly { readonly hostIp: string; readonly hostPort: number; readonly containerPort: number }[];
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
}

export interface ContainerDetails extends ContainerSummary {
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly restartCount: number;
  readonly command: readonly string[];
  readonly mounts: readonly ContainerMount[];
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerEngine {
  createContainer(spec: ContainerSpec): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`. Quiet where it is stopped or gone already. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  killContainer(id: string, signal?: string): Promise<void>;
  /** False where it was not there. Anonymous volumes go with it. */
  removeContainer(id: string, options?: { readonly force?: boolean }): Promise<boolean>;
  inspectContainer(id: string): Promise<ContainerDetails | undefined>;
  listContainers(filter?: {
    readonly labels?: readonly string[];
    readonly all?: boolean;
  }): Promise<readonly ContainerSummary[]>;
  /** Waits until it stops; gives the exit code. */
  waitContainer(id: string, signal?: AbortSignal): Promise<number>;
  /** The last lines of stdout and stderr, merged in order of arrival, as text. */
  tailLogs(id: string, lines: number): Promise<string>;
  /** Follows stdout and stderr line by line until the container stops or the signal fires. */
  followLogs(
    id: string,
    onLine: (line: string, stream: 'stdout' | 'stderr') => void,
    options?: { readonly tail?: number; readonly signal?: AbortSignal },
  ): Promise<void>;
  execInContainer(
    id: string,
    command: readonly string[],
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<ExecResult>;
  /** A path of the container's as a tar stream; works on containers that never ran. */
  copyFromContainer(id: string, path: string): Promise<Readable>;
  copyToContainer(id: string, path: string, tar: Readable): Promise<void>;
}

/** A connection to one engine, its API version pinned. Owned by the caller, who closes it. */
export interface Engine extends ImageEngine, ContainerEngine {
  info(): Promise<EngineInfo>;
  ping(): Promise<void>;
  close(): void;
}
