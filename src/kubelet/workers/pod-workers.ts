import type { V1Pod } from '../../kube/pod-objects.js';
import type { PodUid, RuntimePodSummary } from '../types.js';
import { createCrashBackoff } from './crash-backoff.js';
import { createPodWorker, type PodWorker, type WorkerStage } from './pod-worker.js';
import { createStartSlots } from './start-slots.js';
import type { Eviction, PodWorkersOptions } from './worker-types.js';

/** Everything that is done to pods, each by a loop of its own; none waits for another. No call waits or throws. */
export interface PodWorkers {
  /** A pod as the API (or its file) has it now, new or not. One with a deletionTimestamp is brought to its end. */
  update(pod: V1Pod): void;
  /** The object is gone: stops what still runs, with its grace, and cleans up. No status is written any more. */
  remove(uid: PodUid): void;
  /** Ends a pod with the phase Failed, once it has stopped; the object stays. */
  evict(uid: PodUid, eviction: Eviction): void;
  /** Ends and removes what the engine has of a pod without an object. No effect on a pod that is known. */
  killOrphan(summary: RuntimePodSummary): void;
  /** Something of it may be otherwise: a relist, a probe's result, an image's back-off that ended. */
  wake(uid: PodUid, why: string): void;
  /** It has a worker, be it one that ends it. */
  isKnown(uid: PodUid): boolean;
  /** None of its containers runs or ever will: its resources are free. False for one that is not known. */
  isTerminated(uid: PodUid): boolean;
  /** Terminated, and its volumes are gone: only the object's end is missing. False for one that is not known. */
  isFinished(uid: PodUid): boolean;
  /** Nothing runs on afterwards, but for engine calls that can't be stopped: those are waited for up to 3 s. */
  stop(): Promise<void>;
}

const terminatedStages: ReadonlySet<WorkerStage> = new Set(['unmounting', 'settled', 'removing', 'gone']);
const finishedStages: ReadonlySet<WorkerStage> = new Set(['settled', 'removing', 'gone']);

/** Starts nothing until the first `update`. Source: `pod_workers.go` (v1.22). */
export function createPodWorkers(options: PodWorkersOptions): PodWorkers {
  const { clock, logger } = options;
  const workers = new Map<PodUid, PodWorker>();
  /** Pods that came back while what was left of them is still being removed. */
  const comeBack = new Map<PodUid, V1Pod>();
  const ending = new Set<PodUid>();
  const slots = createStartSlots({ clock, slots: options.parallelStarts ?? 8, holdMs: 10_000 });
  const backoff = createCrashBackoff();
  let stopped = false;

  const add = (uid: PodUid, orphan?: RuntimePodSummary): PodWorker => {
    const onGone = () => {
      workers.delete(uid);
      ending.delete(uid);
      const pod = comeBack.get(uid);
      comeBack.delete(uid);
      if (pod) update(pod);
    };
    const worker = createPodWorker({ options, slots, backoff, uid, orphan, onGone });
    workers.set(uid, worker);
    return worker;
  };

  const update = (pod: V1Pod) => {
    const uid = pod.metadata?.uid;
    if (stopped || !uid) return;
    if (ending.has(uid)) comeBack.set(uid, pod);
    else (workers.get(uid) ?? add(uid)).update(pod);
  };

  return {
    update,
    remove(uid) {
      comeBack.delete(uid);
      if (!workers.has(uid) || ending.has(uid)) return;
      ending.add(uid);
      workers.get(uid)?.remove();
    },
    evict: (uid, eviction) => workers.get(uid)?.evict(eviction),
    killOrphan(summary) {
      if (stopped || workers.has(summary.uid)) return;
      ending.add(summary.uid);
      add(summary.uid, summary).wake();
    },
    wake(uid, why) {
      logger.debug('A pod is woken', { podUID: uid, why });
      workers.get(uid)?.wake();
    },
    isKnown: (uid) => workers.has(uid),
    isTerminated: (uid) => terminatedStages.has(workers.get(uid)?.stage() ?? 'syncing'),
    isFinished: (uid) => finishedStages.has(workers.get(uid)?.stage() ?? 'syncing'),
    async stop() {
      stopped = true;
      const limit = new AbortController();
      const all = Promise.allSettled([...workers.values()].map((worker) => worker.stop()));
      await Promise.race([all, clock.sleep(3000, limit.signal).catch(() => {})]);
      limit.abort();
    },
  };
}
