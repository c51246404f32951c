import { isHyperupError, messageOf } from '../../base/errors.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import type { PodUid, RuntimePodSummary } from '../types.js';
import type { CrashBackoff } from './crash-backoff.js';
import { deadlineOf } from './pod-deadline.js';
import { createRetryDelay } from './retry-delay.js';
import type { StartSlots } from './start-slots.js';
import { podGraceSeconds } from './stop-pod.js';
import { isTerminal, syncPod } from './sync-pod.js';
import { removeOrphan, stopForGood, tearDown } from './terminate-pod.js';
import type { Eviction, PodRecord, PodWorkersOptions } from './worker-types.js';

const RESYNC_MS = 60_000;
const RETRY_MS = 10_000;
const RETRY_SOON_MS = 1_000;
/** A sync that takes longer shows meanwhile what has become of the rest of the pod. */
const SHOW_AFTER_MS = 1_500;
/** Of a message that is another one each time. */
const MAX_TOLD = 10;

/**
 * `syncing` → `stopping` (never back) → `unmounting` → `settled` (waits for the object's end) → `removing` → `gone`.
 * `orphan`: there is no object.
 */
export type WorkerStage = 'syncing' | 'stopping' | 'unmounting' | 'settled' | 'removing' | 'orphan' | 'gone';

export interface PodWorkerOptions {
  readonly options: PodWorkersOptions;
  readonly slots: StartSlots;
  readonly backoff: CrashBackoff;
  readonly uid: PodUid;
  /** What the engine has of a pod without an object. */
  readonly orphan?: RuntimePodSummary | undefined;
  /** Nothing is left of it, here or in the engine. Its worker is to be dropped. */
  readonly onGone: () => void;
}

/** One pod's strictly serial loop: one step at a time, the newest wish only. */
export interface PodWorker {
  update(pod: V1Pod): void;
  remove(): void;
  evict(eviction: Eviction): void;
  wake(): void;
  stage(): WorkerStage;
  stop(): Promise<void>;
}

/** Waits for the first `update` unless it is for an orphan. */
export function createPodWorker(worker: PodWorkerOptions): PodWorker {
  const { options, uid, orphan } = worker;
  const { clock, logger, random, statuses, pleg } = options;
  const stopped = new AbortController();
  const toRetry = createRetryDelay({ firstMs: 10, maxMs: 1000 });
  let stage: WorkerStage = orphan ? 'orphan' : 'syncing';
  let pod: V1Pod | undefined;
  let removed = false;
  let deleteSent = false;
  const failuresTold = new Set<string>();
  let eviction: Eviction | undefined;
  /** Of the step that runs; undefined while none does. */
  let running:
    | {
        /** Ends a sync early. */
        readonly sync: AbortController;
        /** Fires when the step has ended. */
        readonly over: AbortController;
        readonly ended: Promise<void>;
        showing: boolean;
      }
    | undefined;
  let again = false;
  let timer: AbortController | undefined;
  let publishing: Promise<unknown> = Promise.resolve();

  const record: PodRecord = {
    uid,
    pod: orphan ? { metadata: { uid, name: orphan.name, namespace: orphan.namespace } } : {},
    startFailures: new Map(),
    backoffEvents: new Map(),
    resources: new Map(),
    starting: false,
    stale: false,
    blocked: undefined,
    stops: new Set(),
    publish() {
      const next = publishing.then(async () => {
        const status = await currentStatus();
        if (!removed && !stopped.signal.aborted) statuses.set(record.pod, status);
        return status;
      });
      publishing = next.catch(() => {});
      return next;
    },
  };

  async function currentStatus(): Promise<V1PodStatus> {
    const { name = '', namespace = '' } = record.pod.metadata ?? {};
    const runtime = pleg.status(uid) ?? { uid, name, namespace, sandboxes: [], containers: [] };
    // Only once it has stopped: who waits for the phase may take its place at once.
    const failure = runtime.containers.some(({ state }) => state === 'running') ? undefined : eviction;
    const terminating = stage !== 'syncing';
    const status = await options.generateStatus(record.pod, runtime, record.startFailures, terminating, failure);
    if (failure) return { ...status, phase: 'Failed', reason: failure.reason, message: failure.message };
    return record.blocked && !isTerminal(status) ? blockedStatus(status, record.blocked) : status;
  }

  const ending = () => removed || eviction !== undefined || Boolean(pod?.metadata?.deletionTimestamp);

  /** One step; gives after how many milliseconds the next is due, or undefined where only news matter. */
  async function step(signal: AbortSignal): Promise<number | undefined> {
    if (orphan) return orphanStep();
    if (!pod) return undefined;
    record.pod = pod;
    if (stage === 'syncing' && ending()) stage = 'stopping';
    if (stage === 'syncing') return syncStep(signal);
    if (stage === 'stopping') return stopStep();
    if (stage === 'unmounting') return unmountStep();
    if (stage === 'settled') return settledStep();
    return stage === 'removing' ? removeStep() : undefined;
  }

  async function syncStep(signal: AbortSignal): Promise<number | undefined> {
    const outcome = await syncPod(options, worker, record, signal);
    if (outcome.kind === 'finished') stage = 'stopping';
    if (outcome.kind === 'expired') {
      eviction ??= outcome.eviction;
      options.events.pod(record.pod, 'Normal', outcome.eviction.reason, outcome.eviction.message);
    }
    if (outcome.kind === 'finished' || outcome.kind === 'expired') return 0;
    if (outcome.again) return 0;
    tellFailure(outcome.kind === 'failed' ? outcome.message : undefined);
    const failedMs = outcome.kind === 'failed' && (outcome.soon ? RETRY_SOON_MS : RETRY_MS);
    const deadline = deadlineOf(record.pod, statuses.get(uid) ?? {});
    const wakes = [outcome.wakeMs, deadline?.atMs].filter((atMs) => atMs !== undefined);
    return Math.min(jittered(failedMs || RESYNC_MS), ...wakes.map((atMs) => Math.max(0, atMs - clock.now())));
  }

  /** Each once until all is well again: events may have nobody to go to. */
  function tellFailure(message: string | undefined): void {
    if (message === undefined) failuresTold.clear();
    else if (!failuresTold.has(message) && failuresTold.size < MAX_TOLD) {
      failuresTold.add(message);
      logger.warn('A pod could not be brought to what it should be', { ...fields(), err: message });
    }
  }

  async function stopStep(): Promise<number | undefined> {
    const seconds = eviction?.graceSeconds ?? podGraceSeconds(record.pod);
    const exact = eviction?.graceSeconds !== undefined;
    const stoppedSome = await stopForGood(options, record, { seconds, exact });
    if (pod) record.pod = pod;
    const known = statuses.get(uid) ?? record.pod.status;
    // An earlier run of the kubelet told how it ended, and knew more than can be known now.
    if (!removed && (stoppedSome || !isTerminal(known))) await record.publish();
    stage = 'unmounting';
    toRetry.reset();
    return 0;
  }

  async function unmountStep(): Promise<number | undefined> {
    if (!(await tearDown(options, uid))) return toRetry.nextMs();
    stage = 'settled';
    toRetry.reset();
    return 0;
  }

  async function settledStep(): Promise<number | undefined> {
    if (removed) {
      stage = 'removing';
      return 0;
    }
    if (deleteSent || !record.pod.metadata?.deletionTimestamp) return undefined;
    if (!statuses.isReported(uid)) return toRetry.nextMs();
    try {
      await options.deletePod(record.pod);
    } catch (error) {
      // It is gone, or another one has its name by now: the watch will tell.
      if (!isHyperupError(error, 'NotFound') && !isHyperupError(error, 'Conflict')) throw error;
    }
    deleteSent = true;
    return undefined;
  }

  async function removeStep(): Promise<number | undefined> {
    await options.runtime.removePod(uid);
    if (await tearDown(options, uid)) return leave();
    return toRetry.nextMs();
  }

  async function orphanStep(): Promise<number | undefined> {
    if (orphan && !(await removeOrphan(options, record, orphan))) return toRetry.nextMs();
    return leave();
  }

  function leave(): undefined {
    stage = 'gone';
    statuses.forget(uid);
    options.probes.removePod(uid);
    worker.backoff.forget(uid);
    worker.onGone();
  }

  function kick(): void {
    if (stopped.signal.aborted || stage === 'gone') return;
    if (running) {
      again = true;
      return;
    }
    timer?.abort('not needed');
    timer = undefined;
    again = false;
    const sync = new AbortController();
    running = { sync, over: new AbortController(), ended: run(sync.signal), showing: false };
  }

  async function run(signal: AbortSignal): Promise<void> {
    // The worker's state is set before the first step begins.
    await Promise.resolve();
    let delayMs: number | undefined;
    try {
      delayMs = await step(signal);
    } catch (error) {
      if (!signal.aborted) logger.warn('A pod’s step failed', { ...fields(), stage, err: messageOf(error) });
      delayMs = signal.aborted ? 0 : retryMs();
    }
    record.starting = false;
    running?.over.abort('over');
    running = undefined;
    if (again || delayMs === 0) kick();
    else if (delayMs !== undefined) wait(delayMs);
  }

  function retryMs(): number {
    return stage === 'settled' || stage === 'removing' ? toRetry.nextMs() : jittered(RETRY_MS);
  }

  function wait(ms: number): void {
    if (stopped.signal.aborted) return;
    const mine = new AbortController();
    timer = mine;
    clock.sleep(ms, mine.signal).then(
      () => {
        if (timer !== mine) return;
        timer = undefined;
        kick();
      },
      () => {},
    );
  }

  /** Most syncs end sooner and tell the API themselves: one status less each. */
  function showLater(step: NonNullable<typeof running>): void {
    if (step.showing) return;
    step.showing = true;
    const { signal } = step.over;
    clock.sleep(SHOW_AFTER_MS, signal).then(
      () => {
        step.showing = false;
        if (stage === 'syncing' && !record.starting && pod) record.publish().catch(() => {});
      },
      () => {},
    );
  }

  const jittered = (ms: number) => Math.round(ms * (1 + random() / 2));
  const fields = () => ({ pod: `${record.pod.metadata?.namespace}/${record.pod.metadata?.name}`, podUID: uid });

  /** A sync that runs has nothing more to do for a pod that is to end, and what is being stopped may have less time. */
  function hasten(graceSeconds: number | undefined): void {
    if (stage === 'syncing') running?.sync.abort(new Error('the pod is to end'));
    if (graceSeconds !== undefined) for (const stop of record.stops) stop.shorten(graceSeconds);
  }

  return {
    update(next) {
      const news = !pod || stage !== 'syncing' || hasNews(pod, next);
      const first = !pod?.metadata?.deletionTimestamp && next.metadata?.deletionTimestamp;
      const shorter = pod && next.metadata?.deletionTimestamp && podGraceSeconds(next) < podGraceSeconds(pod);
      pod = next;
      // The step that runs goes on with what it began with, but a status is always of the newest object.
      if (!orphan && running) record.pod = next;
      if (first || shorter) hasten(podGraceSeconds(next));
      if (news) kick();
    },
    remove() {
      removed = true;
      hasten(undefined);
      kick();
    },
    evict(wanted) {
      if (eviction || stage !== 'syncing') return;
      eviction = wanted;
      hasten(wanted.graceSeconds);
      kick();
    },
    wake() {
      if (stage === 'settled' && !removed && (deleteSent || !pod?.metadata?.deletionTimestamp)) return;
      if (running && stage === 'stopping' && !removed) record.publish().catch(() => {});
      if (running && stage === 'syncing') showLater(running);
      kick();
    },
    stage: () => stage,
    async stop() {
      stopped.abort(new Error('the kubelet stops'));
      timer?.abort();
      running?.sync.abort(stopped.signal.reason);
      await running?.ended;
    },
  };
}

/** Whether an update says more than what this kubelet itself wrote into the status. */
function hasNews(before: V1Pod, next: V1Pod): boolean {
  const gates = (next.spec?.readinessGates ?? []).length > 0;
  if (gates || isTerminal(next.status) !== isTerminal(before.status)) return true;
  const wishes = ({ metadata, spec }: V1Pod) =>
    JSON.stringify([
      spec,
      metadata?.labels,
      metadata?.annotations,
      metadata?.deletionTimestamp,
      metadata?.deletionGracePeriodSeconds,
      metadata?.generation,
    ]);
  return wishes(before) !== wishes(next);
}

function blockedStatus(status: V1PodStatus, { reason, message }: { reason: string; message: string }): V1PodStatus {
  const block = (containers: V1PodStatus['containerStatuses']) =>
    containers?.map((container) =>
      container.state?.waiting
        ? { ...container, state: { waiting: { ...container.state.waiting, reason: 'Blocked' } } }
        : container,
    );
  const { initContainerStatuses: inits, containerStatuses: apps } = status;
  return {
    ...status,
    reason,
    message,
    ...(inits && { initContainerStatuses: block(inits) ?? inits }),
    ...(apps && { containerStatuses: block(apps) ?? apps }),
  };
}
