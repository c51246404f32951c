import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ContainerEvent } from '../../docker/runtime-types.js';
import type { ContainerId, Pleg, PodUid, RuntimePodStatus, RuntimePodSummary } from '../types.js';
import { followEvents } from './follow-events.js';

/** What the PLEG asks of the runtime. A digest is the same as long as none of the pod's containers changes its state. */
export interface PlegRuntime {
  listPods(): Promise<readonly (RuntimePodSummary & { readonly digest: string })[]>;
  podStatus(uid: PodUid): Promise<RuntimePodStatus & { readonly digest: string }>;
  touch(id: ContainerId): void;
}

export interface PlegOptions {
  readonly runtime: PlegRuntime;
  /** The engine's events of this kubelet's containers, from now on until the signal fires. */
  readonly events: (signal: AbortSignal) => AsyncIterable<ContainerEvent>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1. */
  readonly random: () => number;
  /** The status is another one than before; empty lists: nothing is left of the pod. Never waits. */
  readonly onChange: (uid: PodUid, status: RuntimePodStatus) => void;
  readonly relistMs?: number | undefined;
}

export interface RunningPleg extends Pleg {
  /** Resolves after the first relist, whether it succeeded or not. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** False where no relist succeeded for three minutes. */
  healthy(): boolean;
}

interface PodEntry {
  status: RuntimePodStatus | undefined;
  /** Of the listing that the status was made from. */
  digest: string;
  running: Promise<RuntimePodStatus> | undefined;
  /** Begins when the running one ends; who asks meanwhile shares it. */
  queued: Promise<RuntimePodStatus> | undefined;
  /** An event is waiting to be acted on. */
  stirred: boolean;
}

const defaultRelistMs = 1000;
const unhealthyMs = 180_000;
/** Events of one start or end come in bunches. */
const coalesceMs = 10;
/** After which a refresh is given up, so that the next can try. */
const refreshLimitMs = 120_000;

/**
 * Keeps what the engine has of each pod (v1.20 `pkg/kubelet/pleg/generic.go`): events hasten it, a relist makes it right.
 * Refreshes of different pods run side by side; of one pod one at a time. While the engine is away the last known stays.
 */
export function createPleg(options: PlegOptions): RunningPleg {
  const { runtime, clock, logger, onChange } = options;
  const entries = new Map<PodUid, PodEntry>();
  const stopping = new AbortController();
  const { signal } = stopping;
  let summaries: readonly RuntimePodSummary[] = [];
  let relistedAtMs = clock.monotonicMs();
  let engineAway = false;
  let loops: readonly Promise<void>[] = [];

  const entryOf = (uid: PodUid): PodEntry => {
    const known = entries.get(uid);
    if (known) return known;
    const entry: PodEntry = {
      status: undefined,
      digest: '',
      running: undefined,
      queued: undefined,
      stirred: false,
    };
    entries.set(uid, entry);
    return entry;
  };
  const take = (uid: PodUid, entry: PodEntry, found: RuntimePodStatus & { readonly digest: string }) => {
    const { digest, ...status } = found;
    entry.digest = digest;
    const before = entry.status;
    entry.status = status;
    if (isDeepStrictEqual(before, status) || (before === undefined && isEmpty(status))) return status;
    if (!signal.aborted) onChange(uid, status);
    return status;
  };
  const run = (uid: PodUid, entry: PodEntry): Promise<RuntimePodStatus> => {
    const work = withLimit(runtime.podStatus(uid), clock, `ask the engine for pod ${uid}`)
      .then((found) => take(uid, entry, found))
      .finally(() => {
        if (entry.running === work) entry.running = undefined;
      });
    entry.running = work;
    return work;
  };
  /** What it finds is never older than the call. */
  const refresh = (uid: PodUid): Promise<RuntimePodStatus> => {
    const entry = entryOf(uid);
    if (!entry.running) return run(uid, entry);
    entry.queued ??= entry.running
      .catch(() => {})
      .then(() => {
        entry.queued = undefined;
        return run(uid, entry);
      });
    return entry.queued;
  };
  const refreshQuietly = (uid: PodUid): void => {
    refresh(uid).catch((error: unknown) => {
      if (!signal.aborted && !engineAway) {
        logger.debug('Could not refresh the status of a pod', { podUID: uid, err: messageOf(error) });
      }
    });
  };
  const onEvent = (event: ContainerEvent): void => {
    const uid = event.labels['io.kubernetes.pod.uid'];
    if (!uid || !telling.has(event.action)) return;
    // A start is seen by the container's state; an end and a new start may hide each other.
    if (event.action !== 'start') runtime.touch(event.id);
    const entry = entryOf(uid);
    if (entry.stirred) return;
    entry.stirred = true;
    clock.sleep(coalesceMs, signal).then(
      () => {
        entry.stirred = false;
        refreshQuietly(uid);
      },
      () => {},
    );
  };
  const relist = async (): Promise<void> => {
    const pods = await runtime.listPods();
    summaries = pods;
    relistedAtMs = clock.monotonicMs();
    const listed = new Set<PodUid>();
    for (const pod of pods) {
      listed.add(pod.uid);
      const entry = entryOf(pod.uid);
      if (entry.digest !== pod.digest && !entry.queued) refreshQuietly(pod.uid);
    }
    for (const [uid, entry] of entries) {
      if (listed.has(uid) || entry.running || entry.stirred) continue;
      if (entry.status === undefined || isEmpty(entry.status)) entries.delete(uid);
      else refreshQuietly(uid);
    }
  };
  const relistOnce = async (): Promise<void> => {
    try {
      await relist();
      if (engineAway) logger.info('The engine answers again');
      engineAway = false;
    } catch (error) {
      if (!engineAway && !signal.aborted) {
        logger.warn('Could not list the containers; the statuses of pods stay as they were', { err: messageOf(error) });
      }
      engineAway = true;
    }
  };
  const relistForever = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(options.relistMs ?? defaultRelistMs, signal).catch(() => {});
      if (!signal.aborted) await relistOnce();
    }
  };
  return {
    status: (uid) => entries.get(uid)?.status,
    refresh,
    pods: () => summaries,
    async start() {
      if (loops.length > 0) return;
      relistedAtMs = clock.monotonicMs();
      const events = followEvents({ ...options, signal, onEvent });
      const first = relistOnce();
      loops = [events, first.then(relistForever)];
      await first;
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
    healthy: () => clock.monotonicMs() - relistedAtMs < unhealthyMs,
  };
}

/** Actions that change what a status says; the many of execs and attachments do not. */
const telling: ReadonlySet<string> = new Set(['start', 'die', 'oom', 'destroy', 'pause', 'unpause', 'rename']);

function isEmpty(status: RuntimePodStatus): boolean {
  return status.sandboxes.length === 0 && status.containers.length === 0;
}

async function withLimit<T>(work: Promise<T>, clock: Clock, action: string): Promise<T> {
  const end = new AbortController();
  const late = clock.sleep(refreshLimitMs, end.signal).then(() => {
    throw new HyperupError('Timeout', `${action}: no answer after ${refreshLimitMs / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    end.abort();
  }
}
