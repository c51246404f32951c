import { messageOf } from '../../base/errors.js';
import type { V1Container } from '../../kube/pod-objects.js';
import { targetContainerName } from '../pod/containers.js';
import {
  type ContainerId,
  PodFailure,
  type RuntimePodStatus,
  type RuntimeSandbox,
  type StartContainerRequest,
} from '../types.js';
import { killContainer } from './kill-container.js';
import { orAborted } from './or-aborted.js';
import type { ContainerStart } from './pod-actions.js';
import type { StartSlots } from './start-slots.js';
import { createStopDeadline } from './stop-deadline.js';
import { podGraceSeconds } from './stop-pod.js';
import type { PodRecord, PodWorkersOptions } from './worker-types.js';

export interface StartContainerStep {
  readonly start: ContainerStart;
  readonly sandbox: RuntimeSandbox;
  readonly podIps: readonly string[];
  /** The local id of its image, once that is here. */
  readonly image: Promise<string>;
  /** As of the beginning of the sync; where an ephemeral container finds its target. */
  readonly status: RuntimePodStatus;
  readonly signal: AbortSignal;
}

type StartContainerOptions = Pick<
  PodWorkersOptions,
  'runtime' | 'volumes' | 'files' | 'environment' | 'hooks' | 'events' | 'clock' | 'logger'
>;

/**
 * Takes one container from its image to a postStart hook that has ended. Events: Created, Started, Failed,
 * FailedPostStartHook. Throws PodFailure with the reason of waiting, or `Aborted`. Source: `kuberuntime_container.go`
 * `startContainer` (v1.20).
 */
export async function startContainer(
  options: StartContainerOptions,
  slots: StartSlots,
  record: PodRecord,
  step: StartContainerStep,
): Promise<void> {
  const { start, signal } = step;
  const { pod } = record;
  const who = { name: start.container.name, kind: start.kind };
  const imageId = await orAborted(step.image, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw asPodFailure(error, 'ErrImagePull');
  });
  signal.throwIfAborted();
  let id: ContainerId;
  try {
    record.starting = true;
    const prepared = await orAborted(prepare(options, record, step), signal);
    signal.throwIfAborted();
    const request = {
      pod,
      container: start.container,
      kind: start.kind,
      sandbox: step.sandbox,
      attempt: start.attempt,
      imageId,
      ...prepared,
      targetContainerId: targetOf(start.container, step.status),
    };
    id = await slots.run(() => {
      signal.throwIfAborted();
      return options.runtime.startContainer(request);
    });
  } catch (error) {
    record.starting = false;
    if (signal.aborted) throw error;
    const failure = asPodFailure(error, 'CreateContainerError');
    if (failure.reason === 'RunContainerError') {
      options.events.pod(pod, 'Normal', 'Created', `Created container ${who.name}`, who);
    }
    options.events.pod(pod, 'Warning', 'Failed', `Error: ${failure.message}`, who);
    throw failure;
  }
  options.events.pod(pod, 'Normal', 'Created', `Created container ${who.name}`, who);
  options.events.pod(pod, 'Normal', 'Started', `Started container ${who.name}`, who);
  try {
    await runPostStart(options, record, step, id);
  } finally {
    record.starting = false;
  }
}

async function prepare(
  options: StartContainerOptions,
  { pod }: PodRecord,
  { start, podIps }: StartContainerStep,
): Promise<Pick<StartContainerRequest, 'environment' | 'binds' | 'devices'>> {
  const { container, attempt } = start;
  try {
    const environment = await options.environment.makeEnvironment(pod, container, podIps);
    const [devices, volumes, files] = await Promise.all([
      options.volumes.containerDevices(pod, container),
      options.volumes.containerBinds(pod, container, environment),
      options.files.containerBinds(pod, container, attempt, podIps),
    ]);
    return { environment, binds: [...volumes, ...files], devices };
  } catch (error) {
    throw asPodFailure(error, 'CreateContainerConfigError');
  }
}

function targetOf(container: V1Container, status: RuntimePodStatus): ContainerId | undefined {
  const name = targetContainerName(container);
  if (name === undefined) return undefined;
  const target = status.containers.find((instance) => instance.name === name);
  if (target?.state === 'running') return target.id;
  throw new PodFailure('CreateContainerConfigError', `unable to find target container ${name}`);
}

async function runPostStart(
  options: StartContainerOptions,
  record: PodRecord,
  step: StartContainerStep,
  id: ContainerId,
): Promise<void> {
  const { container, kind } = step.start;
  const { pod } = record;
  const hook = container.lifecycle?.postStart;
  if (!hook) return;
  const podIp = step.podIps[0] ?? '';
  try {
    await orAborted(options.hooks.run(pod, container, id, hook, podIp, step.signal), step.signal);
  } catch (error) {
    // The pod is being deleted or the kubelet ends: the container is not the hook's to kill then.
    step.signal.throwIfAborted();
    options.events.pod(pod, 'Warning', 'FailedPostStartHook', messageOf(error), { name: container.name, kind });
    const deadline = createStopDeadline(options.clock, podGraceSeconds(pod));
    record.stops.add(deadline);
    try {
      const instance = { id, name: container.name, podUid: record.uid };
      await killContainer(options, { pod, container, kind, instance, podIp, deadline, message: 'FailedPostStartHook' });
    } catch (killError) {
      options.logger.warn('Stopping a container after its postStart hook failed', {
        podUID: record.uid,
        containerName: container.name,
        err: killError,
      });
    } finally {
      record.stops.delete(deadline);
    }
    throw new PodFailure('PostStartHookError', messageOf(error), error);
  }
}

/** What it is, or a PodFailure of that reason around it. */
export function asPodFailure(error: unknown, reason: string): PodFailure {
  return error instanceof PodFailure ? error : new PodFailure(reason, messageOf(error), error);
}
