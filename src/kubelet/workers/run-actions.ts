import { messageOf } from '../../base/errors.js';
import type { V1Container } from '../../kube/pod-objects.js';
import { containerHash } from '../pod/containers.js';
import { PodFailure, type RuntimePodStatus, type RuntimeSandbox } from '../types.js';
import { endedMs } from './compute-pod-actions.js';
import type { CrashBackoff } from './crash-backoff.js';
import { killContainer } from './kill-container.js';
import type { ContainerKill, ContainerStart, PodActions } from './pod-actions.js';
import { startContainer } from './start-container.js';
import type { StartSlots } from './start-slots.js';
import { createStopDeadline } from './stop-deadline.js';
import { podGraceSeconds, stopPod } from './stop-pod.js';
import type { PodRecord, PodWorkersOptions } from './worker-types.js';

export interface RunActionsInput {
  readonly actions: PodActions;
  readonly status: RuntimePodStatus;
  readonly signal: AbortSignal;
}

export interface RunActionsResult {
  /** Something is otherwise than before; the engine was asked anew. */
  readonly changed: boolean;
  /** Another sync has more to do. */
  readonly again: boolean;
  /** What went wrong, for a retry; a crash's back-off is no failure. */
  readonly failure: string | undefined;
}

/**
 * Carries out what was planned for a pod, in the plan's order. Source: `kuberuntime_manager.go` `SyncPod` (v1.20), but
 * that the images of all containers to start are fetched at once, and beside the making of the sandbox.
 */
export async function runActions(
  options: PodWorkersOptions,
  shared: { readonly slots: StartSlots; readonly backoff: CrashBackoff },
  record: PodRecord,
  { actions, status, signal }: RunActionsInput,
): Promise<RunActionsResult> {
  const { events, pleg } = options;
  const { pod } = record;
  const acted =
    actions.killPod || actions.kill.length > 0 || actions.start.length > 0 || actions.newSandbox !== undefined;
  if (!acted) return { changed: false, again: false, failure: undefined };
  const tally = new Tally();
  record.stale = true;

  if (actions.newSandbox?.replaces) {
    events.pod(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
  }
  try {
    if (actions.killPod) await stopPod(options, record, status, { seconds: podGraceSeconds(pod) });
    await killAll(options, record, status, actions.kill);
    await Promise.all(actions.purge.map(({ id }) => options.runtime.removeContainer(id)));
  } catch (error) {
    events.pod(pod, 'Warning', 'FailedKillPod', `error killing pod: ${messageOf(error)}`);
    tally.failure = messageOf(error);
  }
  signal.throwIfAborted();
  if (tally.failure === undefined) await startAll(options, shared, record, { actions, status, signal }, tally);
  signal.throwIfAborted();
  try {
    const fresh = await pleg.refresh(record.uid);
    record.stale = false;
    tally.again ||= endedUnseen(status, fresh, actions.kill, tally);
    if (actions.newSandbox && fresh.sandboxes[0]?.state === 'notReady') tally.failure ??= 'its sandbox has ended';
  } catch (error) {
    tally.failure ??= messageOf(error);
  }
  return { changed: true, again: tally.again, failure: tally.failure };
}

/**
 * Whether another sync has to look at something that has ended by now. The refresh has seen it, so that no relist will
 * find it to be news. That goes for what was killed and waits for its back-off too.
 */
function endedUnseen(
  before: RuntimePodStatus,
  fresh: RuntimePodStatus,
  kills: readonly ContainerKill[],
  { started, ended }: Tally,
): boolean {
  const killed = new Set(kills.map(({ instance }) => instance.name));
  if ([...killed].some((name) => !started.has(name))) return true;
  const ran = before.containers.filter(({ state }) => state === 'running').map(({ name }) => name);
  const expected = new Set([...ran, ...started, ...ended]);
  const newest = new Map([...fresh.containers].reverse().map((instance) => [instance.name, instance]));
  return [...expected].some((name) => newest.get(name)?.state === 'exited');
}

class Tally {
  again = false;
  failure: string | undefined;
  readonly started = new Set<string>();
  /** Whose start left an instance that should have ended by now. */
  readonly ended = new Set<string>();
}

async function killAll(
  options: PodWorkersOptions,
  record: PodRecord,
  status: RuntimePodStatus,
  kills: readonly ContainerKill[],
): Promise<void> {
  const podIp = status.sandboxes[0]?.ips[0] ?? '';
  await Promise.all(
    kills.map(async ({ instance, container, kind, message, reason }) => {
      const deadline = createStopDeadline(options.clock, graceOf(record, container, reason));
      record.stops.add(deadline);
      try {
        await killContainer(options, { pod: record.pod, container, kind, instance, message, podIp, deadline });
      } finally {
        record.stops.delete(deadline);
      }
    }),
  );
}

function graceOf({ pod }: PodRecord, container: V1Container, reason: ContainerKill['reason']): number {
  const probe = { livenessProbe: container.livenessProbe, startupProbe: container.startupProbe };
  const own = reason === 'livenessProbe' || reason === 'startupProbe' ? probe[reason] : undefined;
  return own?.terminationGracePeriodSeconds ?? podGraceSeconds(pod);
}

async function startAll(
  options: PodWorkersOptions,
  shared: { readonly slots: StartSlots; readonly backoff: CrashBackoff },
  record: PodRecord,
  { actions, status, signal }: RunActionsInput,
  tally: Tally,
): Promise<void> {
  const images = actions.start.map(({ container, kind }) => fetchImage(options, record, { container, kind }, signal));
  const sandbox = actions.sandbox ?? (await makeSandbox(options, shared.slots, record, actions, tally));
  if (!sandbox) return;
  const podIps = podIpsOf(options, record, sandbox);
  let unseen = actions.newSandbox !== undefined;
  for (const [index, start] of actions.start.entries()) {
    signal.throwIfAborted();
    const image = images[index];
    if (!image) continue;
    if (unseen && !image.settled()) {
      // It may take long: what runs by now shows meanwhile.
      unseen = false;
      await options.pleg.refresh(record.uid).then(record.publish, () => {});
    }
    const step = { start, sandbox, podIps, image: image.id, status, signal };
    const failure = await attempt(options, shared, record, step);
    if (!failure) {
      unseen = true;
      tally.started.add(start.container.name);
      if (start.kind === 'sidecar') tally.again = true;
      continue;
    }
    tally.failure ??= failure.message;
    if (hasEndedInstance(failure)) tally.ended.add(start.container.name);
    if (start.kind === 'init') return;
  }
}

async function attempt(
  options: PodWorkersOptions,
  shared: { readonly slots: StartSlots; readonly backoff: CrashBackoff },
  record: PodRecord,
  step: Parameters<typeof startContainer>[3],
): Promise<PodFailure | undefined> {
  const { container, lastExit } = step.start;
  const { name } = container;
  const countRestart = () => {
    if (!lastExit) return;
    const key = { podUid: record.uid, container: name, hash: containerHash(container) };
    shared.backoff.restarted(key, endedMs(lastExit), options.clock.now());
  };
  try {
    await startContainer(options, shared.slots, record, step);
    countRestart();
    record.startFailures.delete(name);
    return undefined;
  } catch (error) {
    step.signal.throwIfAborted();
    if (!(error instanceof PodFailure)) throw error;
    if (hasEndedInstance(error)) countRestart();
    record.startFailures.set(name, { reason: error.reason, message: error.message });
    return error;
  }
}

/** It left an instance that has ended, which restarts as any other: at once the first time, later with a back-off. */
function hasEndedInstance({ reason }: PodFailure): boolean {
  return reason === 'RunContainerError' || reason === 'PostStartHookError';
}

interface FetchedImage {
  readonly id: Promise<string>;
  settled(): boolean;
}

function fetchImage(
  options: PodWorkersOptions,
  record: PodRecord,
  wanted: Pick<ContainerStart, 'container' | 'kind'>,
  signal: AbortSignal,
): FetchedImage {
  let settled = false;
  const id = options.images.ensureImage(record.pod, wanted, signal);
  const settle = () => {
    settled = true;
  };
  id.then(settle, settle);
  return { id, settled: () => settled };
}

async function makeSandbox(
  options: PodWorkersOptions,
  slots: StartSlots,
  record: PodRecord,
  { newSandbox }: PodActions,
  tally: Tally,
): Promise<RuntimeSandbox | undefined> {
  try {
    return await slots.run(() => options.runtime.runPodSandbox(record.pod, newSandbox?.attempt ?? 0));
  } catch (error) {
    const message = `Failed to create pod sandbox: ${messageOf(error)}`;
    options.events.pod(record.pod, 'Warning', 'FailedCreatePodSandBox', message);
    tally.failure = message;
    return undefined;
  }
}

/** The sandbox's own, or the host's. */
function podIpsOf(options: PodWorkersOptions, { pod }: PodRecord, sandbox: RuntimeSandbox): readonly string[] {
  return pod.spec?.hostNetwork === true ? options.hostIps() : sandbox.ips;
}
