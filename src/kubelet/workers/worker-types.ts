import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import type {
  EnvironmentMaker,
  Hooks,
  Images,
  Pleg,
  PodEvents,
  PodFiles,
  PodRuntime,
  PodUid,
  Probes,
  RuntimePodStatus,
  Statuses,
  Volumes,
} from '../types.js';

/** Why a container could not be started; the reason and message of its waiting state. */
export interface StartFailure {
  readonly reason: string;
  readonly message: string;
}

/** By container name; an entry lives until that container has started. */
export type StartFailures = ReadonlyMap<string, StartFailure>;

/**
 * The API's status of a pod as it is now. `terminating`: it will never be synced again, so its phase is terminal once
 * none of its containers runs. `failure`: it is ended for that reason, so that phase is Failed.
 */
export type GenerateStatus = (
  pod: V1Pod,
  runtime: RuntimePodStatus,
  startFailures: StartFailures,
  terminating: boolean,
  failure?: StartFailure,
) => Promise<V1PodStatus> | V1PodStatus;

/** Whether a pod may run here at all, asked at each sync. */
export type Runnable = { readonly ok: true } | ({ readonly ok: false } & StartFailure);

/** What pod workers work with. None of these calls may wait for another pod. */
export interface PodWorkersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1; spreads the resyncs. */
  readonly random: () => number;
  readonly runtime: PodRuntime;
  /** Has to have listed the engine's pods once before the first `update`. */
  readonly pleg: Pleg;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly files: PodFiles;
  readonly environment: EnvironmentMaker;
  readonly hooks: Hooks;
  readonly probes: Probes;
  readonly statuses: Statuses;
  readonly events: PodEvents;
  readonly generateStatus: GenerateStatus;
  readonly canRun: (pod: V1Pod) => Runnable;
  readonly networkReady: () => boolean;
  /** The addresses that a pod on the host's network has. */
  readonly hostIps: () => readonly string[];
  /** The final deletion: grace 0, with the UID as a precondition. `NotFound` and `Conflict` count as done. */
  readonly deletePod: (pod: V1Pod) => Promise<void>;
  /** How many sandboxes and containers are started at once; 8 unless told. */
  readonly parallelStarts?: number | undefined;
}

/** Ends a pod for a reason of the node's. */
export interface Eviction {
  /** Taken as it is, 0 included; the pod's own where undefined. */
  readonly graceSeconds: number | undefined;
  readonly reason: string;
  readonly message: string;
}

/** One pod as its worker's steps see it. Its fields change between steps. */
export interface PodRecord {
  readonly uid: PodUid;
  pod: V1Pod;
  readonly startFailures: Map<string, StartFailure>;
  /** Of the instance that a container's last BackOff event was about, by name. */
  readonly backoffEvents: Map<string, string>;
  /** What running instances have as resources, as text, by id. */
  readonly resources: Map<string, string>;
  /** While an instance is half started no status is written, so that all of its news shows at once. */
  starting: boolean;
  /** The engine was asked to change something, and has not said since what it has: nothing may be planned on what is known. */
  stale: boolean;
  /** Set while the pod is not runnable. */
  blocked: StartFailure | undefined;
  /** What is being stopped now. */
  readonly stops: Set<{ shorten(graceSeconds: number): void }>;
  /** Makes and remembers the status of what is known now; one at a time, in order. */
  publish(): Promise<V1PodStatus>;
}
