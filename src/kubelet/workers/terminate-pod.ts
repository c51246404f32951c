import { HyperupError, messageOf } from '../../base/errors.js';
import type { PodUid, RuntimePodStatus, RuntimePodSummary } from '../types.js';
import { type StopGrace, stopPod } from './stop-pod.js';
import type { PodRecord, PodWorkersOptions } from './worker-types.js';

/**
 * Stops a pod for good: hooks, containers, sandboxes. Returns once the engine has nothing of it that runs; true where
 * something ran. Event FailedKillPod and a rejection where it can't be stopped, for a retry. Source: `kubelet.go`
 * `syncTerminatingPod` (v1.22).
 */
export async function stopForGood(options: PodWorkersOptions, record: PodRecord, grace: StopGrace): Promise<boolean> {
  const { pleg, probes, events } = options;
  const { uid, pod } = record;
  probes.stopLiveness(uid);
  try {
    const status = await pleg.refresh(uid);
    const stopped = await stopPod(options, record, status, grace);
    if (stopped) requireStopped(await pleg.refresh(uid));
    probes.removePod(uid);
    return stopped;
  } catch (error) {
    events.pod(pod, 'Warning', 'FailedKillPod', `error killing pod: ${messageOf(error)}`);
    throw error;
  }
}

/**
 * Ends what the engine has of a pod that nobody knows any more: stopped with the grace that its labels tell, at least
 * 2 s, then removed with all that is its own on disk. True once nothing is left; to be called again otherwise. Quiet,
 * as there is no object to have events.
 */
export async function removeOrphan(
  options: PodWorkersOptions,
  record: PodRecord,
  summary: RuntimePodSummary,
): Promise<boolean> {
  const status = await options.pleg.refresh(record.uid);
  const quiet = { ...options, events: { pod: () => {}, node: () => {} } };
  await stopPod(quiet, record, status, { seconds: summary.terminationGraceSeconds ?? 2 });
  await options.runtime.removePod(record.uid);
  return tearDown(options, record.uid);
}

/** True once none of the pod's volumes and files are left. Failures are logged and count as not yet. */
export async function tearDown({ volumes, logger }: PodWorkersOptions, uid: PodUid): Promise<boolean> {
  try {
    return await volumes.tearDown(uid);
  } catch (error) {
    logger.warn('Tearing down the volumes of a pod failed', { podUID: uid, err: error });
    return false;
  }
}

function requireStopped(status: RuntimePodStatus): void {
  const left = status.containers.filter(({ state }) => state === 'running').map(({ name }) => name);
  if (left.length === 0) return;
  throw new HyperupError('EngineFailed', `stop the containers of pod ${status.name}: ${left.join(', ')} still run`);
}
