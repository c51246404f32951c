import { messageOf } from '../../base/errors.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import type { ContainerKind, RuntimeContainer } from '../types.js';
import type { StopDeadline } from './stop-deadline.js';
import type { PodWorkersOptions } from './worker-types.js';

const MINIMUM_GRACE_SECONDS = 2;

export interface KillContainerRequest {
  readonly pod: V1Pod;
  /** Undefined where the specification no longer has it: no hook then. */
  readonly container: V1Container | undefined;
  readonly kind: ContainerKind;
  readonly instance: Pick<RuntimeContainer, 'id' | 'name' | 'podUid'>;
  /** Of the event; `Stopping container c` unless told. */
  readonly message?: string | undefined;
  readonly podIp: string;
  readonly deadline: StopDeadline;
  /** The grace is taken as it is, however short. */
  readonly exactGrace?: boolean | undefined;
  /** Awaited between hook and stop; for sidecars, whose turn comes after the app containers. */
  readonly turn?: Promise<void> | undefined;
}

type KillContainerOptions = Pick<PodWorkersOptions, 'runtime' | 'hooks' | 'events' | 'clock' | 'logger'>;

/**
 * Stops one running container: event, preStop hook within the grace, then the stop with what is left of it, at least
 * 2 s. A deadline that is shortened meanwhile shortens both. Resolves when it has stopped; rejects with the engine's
 * error. Source: `kuberuntime_container.go` `killContainer` (v1.20).
 */
export async function killContainer(options: KillContainerOptions, request: KillContainerRequest): Promise<void> {
  const { runtime, events, logger } = options;
  const { pod, instance, deadline, exactGrace, kind } = request;
  const { name, id } = instance;
  events.pod(pod, 'Normal', 'Killing', request.message ?? `Stopping container ${name}`, { name, kind });
  await runPreStop(options, request);
  if (request.turn !== undefined) await within(deadline, request.turn);
  const seconds = () => Math.max(deadline.leftSeconds(), exactGrace ? 0 : MINIMUM_GRACE_SECONDS);
  const off = deadline.onShorten(() => {
    // The first stop ends with the container, which this second one sees to.
    runtime.stopContainer(id, seconds()).catch((error: unknown) => {
      logger.warn('A shorter stop of a container failed', { podUID: instance.podUid, containerName: name, err: error });
    });
  });
  try {
    await runtime.stopContainer(id, seconds());
  } finally {
    off();
  }
}

async function runPreStop(options: KillContainerOptions, request: KillContainerRequest): Promise<void> {
  const { pod, container, instance, deadline, kind } = request;
  const hook = container?.lifecycle?.preStop;
  if (!container || !hook || deadline.leftSeconds() === 0) return;
  const end = new AbortController();
  const run = options.hooks
    .run(pod, container, instance.id, hook, request.podIp, end.signal)
    .catch((error: unknown) => {
      if (end.signal.aborted) return;
      options.events.pod(pod, 'Warning', 'FailedPreStopHook', messageOf(error), { name: container.name, kind });
    });
  await within(deadline, run);
  end.abort(new Error('the grace period is over'));
}

async function within(deadline: StopDeadline, work: Promise<unknown>): Promise<void> {
  const end = new AbortController();
  try {
    await Promise.race([work, deadline.over(end.signal)]);
  } finally {
    end.abort();
  }
}
