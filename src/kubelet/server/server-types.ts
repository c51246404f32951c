import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { MetricsRegistry } from '../../base/metrics-registry.js';
import type { NetworkStats, RuntimeEngine } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { ContainerId, RuntimePodStatus } from '../types.js';

/** The calls of the engine that the server makes. */
export type ServerEngine = Pick<
  RuntimeEngine,
  'startExec' | 'attachContainer' | 'resizeContainer' | 'containerLogs' | 'containerStats'
>;

/** The kubelet as its server sees it. */
export interface ServerHost {
  /** Pods that this kubelet is to run, with their newest statuses; static ones too. */
  pods(): readonly V1Pod[];
  /** Pods that the engine runs containers of, wanted or not: name, namespace, uid and containers' names. */
  runningPods(): Promise<readonly V1Pod[]>;
  /**
   * The pod of that name with its newest status; a mirror pod's name gives its static pod. With `uid` only that one, by
   * its own or its mirror's.
   */
  findPod(namespace: string, name: string, uid?: string): V1Pod | undefined;
  /** What is known of its containers now; undefined where nothing was seen of it. */
  knownStatus(pod: V1Pod): RuntimePodStatus | undefined;
  /** Asks the engine. */
  freshStatus(pod: V1Pod): Promise<RuntimePodStatus>;
  nodeUsage(): Promise<NodeUsage>;
  /** By volume; best effort, absent where nothing measures them. */
  volumeUsage?(pod: V1Pod): Promise<readonly VolumeUsage[]>;
  /** The kubelet's configuration in effect, as `kubeletconfig` of /configz. */
  configz(): object;
  /** Body of /spec: cAdvisor's MachineInfo, as far as it is known. */
  machineInfo(): object;
}

export interface FsUsage {
  readonly availableBytes?: number | undefined;
  readonly capacityBytes?: number | undefined;
  readonly usedBytes?: number | undefined;
  readonly inodes?: number | undefined;
  readonly inodesFree?: number | undefined;
  readonly inodesUsed?: number | undefined;
}

export interface VolumeUsage extends FsUsage {
  readonly name: string;
  readonly claimName?: string | undefined;
}

/** One reading of the whole machine. */
export interface NodeUsage {
  readonly timeMs: number;
  readonly startTimeMs: number;
  readonly cpus: number;
  readonly cpuUsageNanoseconds: number;
  readonly memoryCapacityBytes: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryAvailableBytes: number;
  readonly memoryRssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  readonly networks: Readonly<Record<string, NetworkStats>>;
  readonly defaultInterface: string;
  readonly fs: FsUsage;
  readonly imageFs: FsUsage;
  readonly processes: number;
  readonly maxProcesses: number;
}

/** Who asks, as the API server or a certificate names them. */
export interface ServerUser {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** What is asked for, in the API's terms: always a subresource of this node. */
export interface RequestAttributes {
  /** Empty for methods that have no verb. */
  readonly verb: string;
  readonly resource: 'nodes';
  readonly subresource: string;
  readonly name: string;
}

export interface ServerAuth {
  /** PEM; without it no client certificate proves anything. */
  readonly clientCa?: string | undefined;
  /** Lets requests without credentials in, as `system:anonymous`. */
  readonly anonymous: boolean;
  /** Undefined for a token that isn't valid; answers are kept for 2 minutes. Rejects where it can't be told. */
  readonly authenticateToken?: ((token: string) => Promise<ServerUser | undefined>) | undefined;
  /** Answers are kept for 5 minutes where allowed, else 30 seconds. Rejects where it can't be told. */
  readonly authorize: 'AlwaysAllow' | ((user: ServerUser, attributes: RequestAttributes) => Promise<boolean>);
}

/** By name (`syncloop`, `pleg`): the text of what is wrong, or undefined. */
export type HealthChecks = Readonly<Record<string, () => string | undefined | Promise<string | undefined>>>;

/** A connection to a port of a pod. Rejects with what to tell the client. */
export type DialPod = (pod: V1Pod, port: number) => Promise<Duplex>;

/** What every endpoint may use. */
export interface EndpointOptions {
  readonly host: ServerHost;
  readonly engine: ServerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly dialPod: DialPod;
  readonly metrics: MetricsRegistry;
  readonly checks: HealthChecks;
  /** Before every path of the host's that is read: empty, or `/proc/1/root`. */
  readonly hostRoot: string;
  /** How long exec, attach and port-forward may be silent; default 4 hours. */
  readonly streamingIdleTimeoutMs?: number | undefined;
  /** How long a client may take to open its streams; default 30 s. */
  readonly streamCreationTimeoutMs?: number | undefined;
  /** Default true: exec, attach, portForward, run, containerLogs, runningpods, logs. */
  readonly enableDebuggingHandlers?: boolean | undefined;
}

/** A container of a pod's to work on. */
export interface ContainerTarget {
  readonly id: ContainerId;
  readonly tty: boolean;
  readonly openStdin: boolean;
}
