import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ContainerEvent } from '../../docker/runtime-types.js';
import type { ContainerId, Pleg, PodUid, RuntimePodStatus, RuntimePodSummary } from '../types.js';
import { followEvents } from './follow-events.js';

/** A pod in a list of all. */
export interface ListedPod extends RuntimePodSummary {
  readonly digest: string;
  /** Made of this list: as old as it is. */
  status(): Promise<RuntimePodStatus & { readonly digest: string }>;
}

/** What the PLEG asks of the runtime. A digest is the same as long as none of the pod's containers changes its state. */
export interface PlegRuntime {
  listPods(): Promise<readonly ListedPod[]>;
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
  /** When a waiting event is acted on; monotonic. */
  dueMs: number | undefined;
  /** Counts refreshes that have begun. */
  begun: number;
  /** Those that had when the newest event came. */
  begunAtEvent: number;
}

const defaultRelistMs = 1000;
/** A list of all, every second, is a tenth of what a quiet node with many pods costs. */
const quietFactor = 2;
const quietAfterMs = 15_000;
const unhealthyMs = 180_000;
/** Events of one start or end come in bunches. */
const coalesceMs = 10;
/** Whoever starts or removes a container mostly asks by itself then, and answers for this event too. */
const ownDoingMs = 200;
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
  /** Of the newest event, news or lost stream. */
  let stirredAtMs = clock.monotonicMs();
  let loops: readonly Promise<void>[] = [];

  const entryOf = (uid: PodUid): PodEntry => {
    const known = entries.get(uid);
    if (known) return known;
    const entry: PodEntry = {
      status: undefined,
      digest: '',
      running: undefined,
      queued: undefined,
      dueMs: undefined,
      begun: 0,
      begunAtEvent: 0,
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
    stirredAtMs = clock.monotonicMs();
    if (!signal.aborted) onChange(uid, status);
    return status;
  };
  const run = (uid: PodUid, entry: PodEntry, ask = () => runtime.podStatus(uid)): Promise<RuntimePodStatus> => {
    entry.begun += 1;
    const work = withLimit(ask(), clock, `ask the engine for pod ${uid}`)
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
  const quietly = (uid: PodUid, work: Promise<unknown>): void => {
    work.catch((error: unknown) => {
      if (!signal.aborted && !engineAway) {
        logger.debug('Could not refresh the status of a pod', { podUID: uid, err: messageOf(error) });
      }
    });
  };
  const onEvent = (event: ContainerEvent): void => {
    const uid = event.labels['io.kubernetes.pod.uid'];
    if (!uid || !telling.has(event.action)) return;
    stirredAtMs = clock.monotonicMs();
    const isStart = event.action === 'start';
    // Who makes a sandbox looks at it, and without a container it is no news to anybody else.
    if (isStart && event.labels['io.kubernetes.docker.type'] === 'podsandbox') return;
    // A start is seen by the container's state; an end and a new start may hide each other.
    if (!isStart) runtime.touch(event.id);
    const entry = entryOf(uid);
    const isOwnDoing = isStart || event.action === 'destroy';
    const waitMs = isOwnDoing ? ownDoingMs : coalesceMs;
    const dueMs = clock.monotonicMs() + waitMs;
    entry.begunAtEvent = entry.begun;
    if (entry.dueMs !== undefined && entry.dueMs <= dueMs) return;
    entry.dueMs = dueMs;
    clock.sleep(waitMs, signal).then(
      () => {
        // One that can't wait has overtaken it.
        if (entry.dueMs !== dueMs) return;
        entry.dueMs = undefined;
        if (!isOwnDoing || entry.begun === entry.begunAtEvent) quietly(uid, refresh(uid));
      },
      () => {},
    );
  };
  const relist = async (): Promise<void> => {
    const begunBefore = new Map([...entries].map(([uid, { begun }]) => [uid, begun]));
    /** What was asked since this list began may know more than it. */
    const isNewest = (uid: PodUid, entry: PodEntry) =>
      entry.running === undefined && entry.begun === (begunBefore.get(uid) ?? 0);
    const pods = await runtime.listPods();
    // Whole lists are not kept.
    summaries = pods.map(({ digest: _digest, status: _status, ...summary }) => summary);
    relistedAtMs = clock.monotonicMs();
    const listed = new Set<PodUid>();
    for (const { uid, digest, status } of pods) {
      listed.add(uid);
      const entry = entryOf(uid);
      if (entry.digest === digest || entry.queued !== undefined) continue;
      quietly(uid, isNewest(uid, entry) ? run(uid, entry, status) : refresh(uid));
    }
    for (const [uid, entry] of entries) {
      if (listed.has(uid) || entry.running || entry.dueMs !== undefined) continue;
      const { status } = entry;
      if (status === undefined || isEmpty(status)) entries.delete(uid);
      else if (!isNewest(uid, entry)) quietly(uid, refresh(uid));
      else
        quietly(
          uid,
          run(uid, entry, async () => ({ ...status, sandboxes: [], containers: [], digest: '' })),
        );
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
      const isQuiet = !engineAway && clock.monotonicMs() - stirredAtMs >= quietAfterMs;
      const waitMs = (options.relistMs ?? defaultRelistMs) * (isQuiet ? quietFactor : 1);
      await clock.sleep(waitMs, signal).catch(() => {});
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
      const onBreak = () => {
        stirredAtMs = clock.monotonicMs();
      };
      const events = followEvents({ ...options, signal, onEvent, onBreak });
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
    // Without a reason each would make an error with a stack.
    end.abort('answered');
  }
}
