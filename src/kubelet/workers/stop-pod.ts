import { HyperupError, messageOf } from '../../base/errors.js';
import { findContainer, initContainersOf } from '../pod/containers.js';
import type { RuntimeContainer, RuntimePodStatus } from '../types.js';
import { killContainer } from './kill-container.js';
import { createStopDeadline } from './stop-deadline.js';
import type { PodRecord, PodWorkersOptions } from './worker-types.js';

export interface StopGrace {
  readonly seconds: number;
  /** Taken as it is, however short. */
  readonly exact?: boolean | undefined;
}

/** The grace of a pod's specification and of its deletion, in seconds. */
export function podGraceSeconds(pod: PodRecord['pod']): number {
  return pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 2;
}

type StopPodOptions = Pick<PodWorkersOptions, 'runtime' | 'hooks' | 'events' | 'clock' | 'logger'>;

/**
 * Stops all of a pod's running containers at once (sidecars once the app containers have stopped, the last one first),
 * then its sandboxes. True where anything was to be stopped. A later `shorten` of the record's stops reaches it. Throws
 * one `EngineFailed` after all was tried. Source: `kuberuntime_manager.go` `killPodWithSyncResult` (v1.20).
 */
export async function stopPod(
  options: StopPodOptions,
  record: PodRecord,
  status: RuntimePodStatus,
  grace: StopGrace,
): Promise<boolean> {
  const running = status.containers.filter(({ state }) => state === 'running' || state === 'unknown');
  const sandboxes = status.sandboxes.filter(({ state }) => state === 'ready');
  const deadline = createStopDeadline(options.clock, grace.seconds);
  const podIp = status.sandboxes[0]?.ips[0] ?? '';
  const sidecars = initContainersOf(record.pod)
    .filter(({ kind }) => kind === 'sidecar')
    .map(({ container }) => container.name);
  const failures: unknown[] = [];
  const kill = async (instance: RuntimeContainer, turn?: Promise<void>) => {
    const known = findContainer(record.pod, instance.name);
    try {
      await killContainer(options, {
        pod: record.pod,
        container: known?.container,
        kind: known?.kind ?? 'app',
        instance,
        podIp,
        deadline,
        exactGrace: grace.exact,
        turn,
      });
    } catch (error) {
      failures.push(error);
    }
  };
  record.stops.add(deadline);
  try {
    const others = running.filter(({ name }) => !sidecars.includes(name));
    const stops: Promise<unknown>[] = [Promise.all(others.map((instance) => kill(instance)))];
    for (const name of [...sidecars].reverse()) {
      const before = Promise.all(stops).then(() => {});
      for (const instance of running) if (instance.name === name) stops.push(kill(instance, before));
    }
    await Promise.all(stops);
  } finally {
    record.stops.delete(deadline);
  }
  const sandboxStops = await Promise.allSettled(sandboxes.map(({ id }) => options.runtime.stopPodSandbox(id)));
  for (const stop of sandboxStops) if (stop.status === 'rejected') failures.push(stop.reason);
  if (failures.length > 0) {
    throw new HyperupError('EngineFailed', failures.map(messageOf).join('; '), { cause: failures[0] });
  }
  return running.length + sandboxes.length > 0;
}
