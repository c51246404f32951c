import type { V1ContainerStatus, V1PodSpec, V1PodStatus } from '../../kube/pod-objects.js';
import { isSidecar } from '../pod/containers.js';
import { hasRun } from './generate-conditions.js';

export type PodPhase = NonNullable<V1PodStatus['phase']>;

/** True for the phases that nothing follows. */
export function isTerminalPhase(phase: string | undefined): phase is 'Succeeded' | 'Failed' {
  return phase === 'Succeeded' || phase === 'Failed';
}

/**
 * The phase that the containers' statuses make (v1.20 `kubelet_pods.go` getPhase; sidecars as in v1.28). With `final`
 * the pod is over: nothing will start again whatever its restart policy, and what hasn't ended well has failed (v1.27).
 */
export function podPhase(
  spec: V1PodSpec,
  initStatuses: readonly V1ContainerStatus[],
  statuses: readonly V1ContainerStatus[],
  final: boolean,
): PodPhase {
  const { restartPolicy = 'Always' } = spec;
  const init = countInit(spec, initStatuses);
  const app = countApp(spec, statuses);
  if (init.failed > 0 && restartPolicy === 'Never') return 'Failed';
  if (final) return app.stopped > 0 && app.succeeded === spec.containers.length ? 'Succeeded' : 'Failed';
  const running = app.running + init.sidecarsRunning;
  // Once an app container has run, a sidecar that restarts doesn't make the pod pending again.
  const pending = init.pending + (statuses.some(hasRun) ? 0 : init.sidecarsPending);
  if (pending > 0 || app.waiting > 0 || app.unknown > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (app.stopped === 0) return 'Pending';
  if (restartPolicy === 'Always') return 'Running';
  if (app.stopped === app.succeeded) return 'Succeeded';
  return restartPolicy === 'Never' ? 'Failed' : 'Running';
}

function countInit(spec: V1PodSpec, statuses: readonly V1ContainerStatus[]) {
  const counts = { pending: 0, failed: 0, sidecarsPending: 0, sidecarsRunning: 0 };
  for (const container of spec.initContainers ?? []) {
    const status = statuses.find(({ name }) => name === container.name);
    const { running, terminated } = status?.state ?? {};
    const last = status?.lastState?.terminated;
    if (isSidecar(container)) {
      if (running) {
        counts.sidecarsRunning += 1;
        if (status?.started !== true) counts.sidecarsPending += 1;
      } else if (!terminated && !last) {
        counts.sidecarsPending += 1;
      }
      continue;
    }
    const ended = terminated ?? (running ? undefined : last);
    // One that waits after an exit 0 can only be about to run again for a new sandbox; upstream counts it as neither.
    if (ended === undefined) counts.pending += 1;
    else if (ended.exitCode !== 0) counts.failed += 1;
  }
  return counts;
}

function countApp(spec: V1PodSpec, statuses: readonly V1ContainerStatus[]) {
  const counts = { running: 0, waiting: 0, stopped: 0, succeeded: 0, unknown: 0 };
  for (const container of spec.containers) {
    const status = statuses.find(({ name }) => name === container.name);
    const { running, terminated, waiting } = status?.state ?? {};
    if (running) counts.running += 1;
    else if (terminated) {
      counts.stopped += 1;
      if (terminated.exitCode === 0) counts.succeeded += 1;
    } else if (waiting) {
      if (status?.lastState?.terminated) counts.stopped += 1;
      else counts.waiting += 1;
    } else counts.unknown += 1;
  }
  return counts;
}
