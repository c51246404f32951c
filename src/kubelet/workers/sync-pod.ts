import { messageOf } from '../../base/errors.js';
import type { V1PodStatus } from '../../kube/pod-objects.js';
import { podFullName } from '../pod/pod-names.js';
import { PodFailure, type RuntimePodStatus } from '../types.js';
import { applyResources } from './apply-resources.js';
import { computePodActions } from './compute-pod-actions.js';
import { type CrashBackoff, formatDelay } from './crash-backoff.js';
import { orAborted } from './or-aborted.js';
import { deadlineOf } from './pod-deadline.js';
import { runActions } from './run-actions.js';
import type { StartSlots } from './start-slots.js';
import { podGraceSeconds, stopPod } from './stop-pod.js';
import type { Eviction, PodRecord, PodWorkersOptions } from './worker-types.js';

/** What one sync came to. */
export type SyncOutcome =
  /** The next one is due at `wakeMs`, or at the usual time if that is sooner; at once with `again`. */
  | { readonly kind: 'synced'; readonly wakeMs?: number | undefined; readonly again?: boolean | undefined }
  /** The phase is terminal. */
  | { readonly kind: 'finished' }
  /** Its active deadline has passed. */
  | { readonly kind: 'expired'; readonly eviction: Eviction }
  /** To be tried again after a while, or as for `synced`. */
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly soon?: boolean | undefined;
      readonly wakeMs?: number | undefined;
      readonly again?: boolean | undefined;
    };

/**
 * One sync of a pod that is not being deleted: tells the API what there is, then brings the engine to what the
 * specification says, then tells the API again. Its own failures are in the outcome; throws only what the signal makes
 * it throw, or a defect. Source: `kubelet.go` `syncPod` (v1.20).
 */
export async function syncPod(
  options: PodWorkersOptions,
  shared: { readonly slots: StartSlots; readonly backoff: CrashBackoff },
  record: PodRecord,
  signal: AbortSignal,
): Promise<SyncOutcome> {
  const { clock, events, volumes, probes } = options;
  const { pod } = record;
  let status: RuntimePodStatus;
  try {
    status = await statusOf(options, record);
  } catch (error) {
    return failed(options, record, 'FailedSync', `error determining status: ${messageOf(error)}`);
  }
  // An earlier run of the kubelet told how it ended, and knew more than can be known now.
  if (isTerminal(pod.status) && !options.statuses.get(record.uid) && !runs(status)) return { kind: 'finished' };
  const runnable = options.canRun(pod);
  record.blocked = runnable.ok ? undefined : runnable;
  const apiStatus = await record.publish();
  if (isTerminal(apiStatus)) return { kind: 'finished' };
  const deadline = deadlineOf(pod, apiStatus);
  if (deadline && deadline.atMs <= clock.now()) return { kind: 'expired', eviction: deadline.eviction };
  signal.throwIfAborted();

  if (!runnable.ok) {
    const killed = await kill(options, record, status);
    return killed ?? { kind: 'failed', message: `pod cannot be run: ${runnable.message}` };
  }
  if (!options.networkReady() && pod.spec?.hostNetwork !== true) {
    const message = 'network is not ready';
    events.pod(pod, 'Warning', 'NetworkNotReady', message);
    return { kind: 'failed', message, soon: true };
  }
  probes.addPod(pod);
  try {
    await orAborted(volumes.ensureMounted(pod, signal), signal);
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof PodFailure ? error.reason : 'FailedMount';
    return failed(options, record, reason, messageOf(error));
  }
  signal.throwIfAborted();

  const actions = computePodActions({
    pod,
    status,
    probes,
    nowMs: clock.now(),
    backoff: shared.backoff,
    previous: apiStatus,
  });
  for (const { container, kind, delayMs, lastExit } of actions.backingOff) {
    const who = `container=${container.name} pod=${podFullName(pod)}(${record.uid})`;
    const message = `back-off ${formatDelay(delayMs)} restarting failed ${who}`;
    record.startFailures.set(container.name, { reason: 'CrashLoopBackOff', message });
    if (record.backoffEvents.get(container.name) === lastExit.id) continue;
    record.backoffEvents.set(container.name, lastExit.id);
    events.pod(pod, 'Warning', 'BackOff', 'Back-off restarting failed container', { name: container.name, kind });
  }
  if (actions.killPod && !actions.newSandbox) {
    const killed = await kill(options, record, status);
    if (killed) return killed;
    const ended = await record.publish();
    return isTerminal(ended) ? { kind: 'finished' } : { kind: 'synced' };
  }
  const result = await runActions(options, shared, record, { actions, status, signal });
  await applyResources(options, record);
  if (actions.backingOff.length > 0 || result.changed) {
    const ended = await record.publish();
    if (isTerminal(ended)) return { kind: 'finished' };
  }
  const next = { wakeMs: actions.nextWakeMs, again: result.again };
  return result.failure === undefined
    ? { kind: 'synced', ...next }
    : { kind: 'failed', message: result.failure, ...next };
}

export function isTerminal(status: V1PodStatus | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Without asking the engine where the newest list of its pods says that it has nothing of this one. */
async function statusOf({ pleg }: PodWorkersOptions, record: PodRecord): Promise<RuntimePodStatus> {
  const { uid, pod } = record;
  const known = pleg.status(uid);
  if (record.stale) {
    const fresh = await pleg.refresh(uid);
    record.stale = false;
    return fresh;
  }
  if (known) return known;
  const { name = '', namespace = '' } = pod.metadata ?? {};
  // A pod that once was synced has a start time, and may have been left by an earlier run.
  const isNew = !pod.status?.startTime && !pleg.pods().some((summary) => summary.uid === uid);
  return isNew ? { uid, name, namespace, sandboxes: [], containers: [] } : pleg.refresh(uid);
}

async function kill(
  options: PodWorkersOptions,
  record: PodRecord,
  status: RuntimePodStatus,
): Promise<SyncOutcome | undefined> {
  try {
    record.stale = true;
    const stopped = await stopPod(options, record, status, { seconds: podGraceSeconds(record.pod) });
    if (stopped) await options.pleg.refresh(record.uid);
    record.stale = false;
    return undefined;
  } catch (error) {
    return failed(options, record, 'FailedKillPod', `error killing pod: ${messageOf(error)}`);
  }
}

function failed(options: PodWorkersOptions, { pod }: PodRecord, reason: string, message: string): SyncOutcome {
  options.events.pod(pod, 'Warning', reason, message);
  return { kind: 'failed', message };
}

function runs(status: RuntimePodStatus): boolean {
  return status.containers.some(({ state }) => state === 'running');
}
