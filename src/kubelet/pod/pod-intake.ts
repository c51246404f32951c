import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { apiTime } from '../../kube/kube-time.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import type { ReflectorChange } from '../../kube/reflector.js';
import type { PodEvents, PodUid, RuntimePodSummary, Statuses } from '../types.js';
import type { PodManager } from './pod-manager.js';
import { isMirrorPod, isStaticPod, podUidOf } from './pod-names.js';

/** Why a pod may not run here. */
export interface IntakeRejection {
  readonly reason: string;
  readonly message: string;
  /** A newer node object might say otherwise. */
  readonly dependsOnNode: boolean;
}

export interface PodIntakeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly manager: PodManager;
  readonly events: PodEvents;
  readonly statuses: Statuses & { onPodUpdate(pod: V1Pod): void };
  readonly workers: {
    update(pod: V1Pod): void;
    remove(uid: PodUid): void;
    evict(uid: PodUid, how: { graceSeconds: number | undefined; reason: string; message: string }): void;
    killOrphan(summary: RuntimePodSummary): void;
    isKnown(uid: PodUid): boolean;
    isTerminated(uid: PodUid): boolean;
  };
  readonly objects: { registerPod(pod: V1Pod): void; unregisterPod(uid: PodUid): void };
  readonly volumes: {
    update(pod: V1Pod): void;
    tearDown(uid: PodUid): Promise<boolean>;
    podsOnDisk(): Promise<readonly PodUid[]>;
  };
  readonly reject: (pod: V1Pod, active: readonly V1Pod[]) => IntakeRejection | undefined;
  /** Pods that a critical one may push aside; undefined where that would not help. */
  readonly victims: (pod: V1Pod, active: readonly V1Pod[]) => readonly V1Pod[] | undefined;
  /** Sees to it that `reject` decides by the node as it is now. */
  readonly refreshNode: () => Promise<void>;
  readonly enginePods: () => readonly RuntimePodSummary[];
  /** A static pod or a mirror has come, changed or gone. */
  readonly onMirrorsStale: () => void;
}

/** Where pods come in: from the API server and from files. */
export interface PodIntake {
  onApiPods(change: ReflectorChange<V1Pod>): void;
  onStaticPods(change: ReflectorChange<V1Pod>): void;
  /** Ends what the engine and the disk have of pods that nobody knows. Nothing before all sources have told of theirs. */
  tidy(): Promise<void>;
  /** Pods that hold resources: admitted, not over. */
  active(): readonly V1Pod[];
  sourcesReady(): boolean;
}

/** Which sources there are; one that isn't configured counts as having told of all its pods. */
export interface IntakeSources {
  readonly api: boolean;
  readonly files: boolean;
}

/**
 * Takes pods in: remembers them, admits each once at first sight, and hands them to their workers. A pod that an earlier run
 * of the kubelet had started is not asked again whether it fits.
 */
export function createPodIntake(options: PodIntakeOptions, sources: IntakeSources): PodIntake {
  const { manager, workers, statuses, objects, logger } = options;
  const ready = { api: !sources.api, files: !sources.files };
  /** Pods whose fate is being decided, and those that were refused. */
  const deciding = new Set<PodUid>();
  const refused = new Set<PodUid>();
  const admitted = new Set<PodUid>();

  function active(): readonly V1Pod[] {
    return manager.all().filter((pod) => {
      const uid = podUidOf(pod);
      return admitted.has(uid) && !isOver(statuses.get(uid) ?? pod.status) && !workers.isTerminated(uid);
    });
  }

  function others(uid: PodUid): readonly V1Pod[] {
    return active().filter((pod) => podUidOf(pod) !== uid);
  }

  function accept(pod: V1Pod): void {
    admitted.add(podUidOf(pod));
    workers.update(pod);
  }

  function refuse(pod: V1Pod, rejection: IntakeRejection): void {
    const uid = podUidOf(pod);
    refused.add(uid);
    const message = `Pod ${rejection.message}`;
    logger.info('Pod refused', { pod: pod.metadata?.name, podUID: uid, reason: rejection.reason });
    options.events.pod(pod, 'Warning', rejection.reason, rejection.message);
    const status: V1PodStatus = { ...pod.status, phase: 'Failed', reason: rejection.reason, message };
    statuses.set(pod, { ...status, startTime: status.startTime ?? apiTime(options.clock.now()) });
  }

  /** At first sight: a verdict at once where that is possible, else after another look at the node. */
  function consider(pod: V1Pod): void {
    const uid = podUidOf(pod);
    const isOld = pod.status?.startTime !== undefined;
    const isEnding = pod.metadata?.deletionTimestamp !== undefined || isOver(pod.status);
    const rejection = isOld || isEnding ? undefined : options.reject(pod, others(uid));
    if (!rejection) {
      accept(pod);
      return;
    }
    if (!rejection.dependsOnNode) {
      refuse(pod, rejection);
      return;
    }
    deciding.add(uid);
    reconsider(uid).catch((error: unknown) => {
      logger.error('Admission failed', { podUID: uid, err: messageOf(error) });
    });
  }

  /** The scheduler may have seen the node's change before we did (v1.22 `GetNodeSync`). */
  async function reconsider(uid: PodUid): Promise<void> {
    await options.refreshNode().catch((error: unknown) => {
      logger.debug('The node was not read anew', { err: messageOf(error) });
    });
    deciding.delete(uid);
    const pod = manager.get(uid);
    if (!pod) return;
    if (pod.metadata?.deletionTimestamp !== undefined) {
      accept(pod);
      return;
    }
    const rejection = options.reject(pod, others(uid));
    const victims = rejection ? options.victims(pod, others(uid)) : undefined;
    for (const victim of victims ?? []) {
      const message = 'Preempted in order to admit critical pod';
      options.events.pod(victim, 'Warning', 'Preempting', message);
      workers.evict(podUidOf(victim), { graceSeconds: undefined, reason: 'Preempting', message });
    }
    if (rejection && !victims) refuse(pod, rejection);
    else accept(pod);
  }

  /** One pod that we can't make sense of doesn't keep the next ones out. */
  function take(pod: V1Pod): void {
    try {
      takeIn(pod);
    } catch (error) {
      logger.error('A pod was not taken in', {
        pod: pod.metadata?.name,
        podUID: pod.metadata?.uid,
        err: messageOf(error),
      });
    }
  }

  function takeIn(pod: V1Pod): void {
    const uid = podUidOf(pod);
    manager.set(pod);
    if (!isStaticPod(pod)) statuses.onPodUpdate(pod);
    objects.registerPod(pod);
    if (deciding.has(uid)) return;
    if (refused.has(uid) && pod.metadata?.deletionTimestamp === undefined) return;
    if (admitted.has(uid) || refused.has(uid)) {
      workers.update(pod);
      options.volumes.update(pod);
    } else consider(pod);
  }

  function drop(pod: V1Pod): void {
    const uid = podUidOf(pod);
    manager.remove(pod);
    for (const set of [deciding, refused, admitted]) set.delete(uid);
    objects.unregisterPod(uid);
    if (workers.isKnown(uid)) workers.remove(uid);
    else statuses.forget(uid);
  }

  /** Oldest first, as upstream: whoever was there first keeps its place. */
  function replace(pods: readonly V1Pod[], isOfSource: (pod: V1Pod) => boolean): void {
    const present = new Set(pods.map(podUidOf));
    for (const pod of manager.all()) if (isOfSource(pod) && !present.has(podUidOf(pod))) drop(pod);
    const age = (pod: V1Pod) => Date.parse(pod.metadata?.creationTimestamp ?? '') || 0;
    for (const pod of pods.toSorted((a, b) => age(a) - age(b))) take(pod);
  }

  function onMirror(pod: V1Pod, isGone: boolean): void {
    if (isGone) manager.remove(pod);
    else {
      manager.set(pod);
      statuses.onPodUpdate(pod);
    }
    options.onMirrorsStale();
  }

  return {
    active,
    sourcesReady: () => ready.api && ready.files,
    onApiPods(change) {
      if (change.type === 'replaced') {
        const mirrors = change.objects.filter(isMirrorPod);
        const present = new Set(mirrors.map((mirror) => mirror.metadata?.uid));
        const known = [...manager.all().map((pod) => manager.mirrorOf(podUidOf(pod))), ...manager.orphanMirrors()];
        for (const mirror of known) if (mirror && !present.has(mirror.metadata?.uid)) manager.remove(mirror);
        for (const mirror of mirrors) onMirror(mirror, false);
        replace(
          change.objects.filter((pod) => !isMirrorPod(pod)),
          (pod) => !isStaticPod(pod),
        );
        ready.api = true;
        options.onMirrorsStale();
        return;
      }
      const { object: pod } = change;
      if (isMirrorPod(pod)) onMirror(pod, change.type === 'deleted');
      else if (change.type === 'deleted') drop(pod);
      else take(pod);
    },
    onStaticPods(change) {
      if (change.type === 'replaced') {
        replace(change.objects, isStaticPod);
        ready.files = true;
      } else if (change.type === 'deleted') drop(change.object);
      else take(change.object);
      options.onMirrorsStale();
    },
    async tidy() {
      if (!ready.api || !ready.files) return;
      const inEngine = new Set<PodUid>();
      for (const summary of options.enginePods()) {
        inEngine.add(summary.uid);
        if (manager.get(summary.uid) || workers.isKnown(summary.uid)) continue;
        logger.info('Pod without an object is ended', { pod: summary.name, podUID: summary.uid });
        workers.killOrphan(summary);
      }
      for (const uid of await options.volumes.podsOnDisk()) {
        if (manager.get(uid) || workers.isKnown(uid) || inEngine.has(uid)) continue;
        await options.volumes.tearDown(uid).catch((error: unknown) => {
          logger.warn("A former pod's folder was not removed", { podUID: uid, err: messageOf(error) });
        });
      }
    },
  };
}

function isOver(status: V1PodStatus | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
