import { apiTime } from '../../kube/kube-time.js';
import type { V1Container, V1ContainerState, V1ContainerStatus, V1PodSpec } from '../../kube/pod-objects.js';
import { isSidecar } from '../pod/containers.js';
import type { ContainerKind, ProbeResults, RuntimeContainer, RuntimePodStatus } from '../types.js';

/** Why a container waits: the reason and message of the last attempt to start it. */
export interface StartFailure {
  readonly reason: string;
  readonly message: string;
}

/** What the statuses of a pod's containers are drawn from. */
export interface ContainerStatusInput {
  readonly spec: V1PodSpec;
  readonly runtime: RuntimePodStatus;
  readonly probes: ProbeResults;
  /** By container name. */
  readonly startFailures: ReadonlyMap<string, StartFailure>;
  /** Nothing is started any more. */
  readonly terminating: boolean;
  /** The API server's minor version. */
  readonly minor: number;
}

/** What all terminated containers of a pod may say together (v1.20 `container/runtime.go` MaxPodTerminationMessageLogLength). */
const podMessageBytes = 12 * 1024;

/**
 * One status for each container of that list, in its order (v1.20 `kubelet_pods.go` convertToAPIContainerStatuses).
 * An instance that the engine has made but not started yet is not shown: restart count, state and readiness change at
 * one time. `previous` gives what the engine has forgotten.
 */
export function containerStatuses(
  input: ContainerStatusInput,
  containers: readonly V1Container[],
  list: 'init' | 'app' | 'ephemeral',
  previous: readonly V1ContainerStatus[] | undefined,
): V1ContainerStatus[] {
  return containers.map((container) => {
    const kind = list === 'init' && isSidecar(container) ? 'sidecar' : list;
    const old = previous?.find(({ name }) => name === container.name);
    const instances = input.runtime.containers.filter(({ name }) => name === container.name);
    const seen = instances.filter(({ state }) => state !== 'created');
    const known = seen[0] ? ofInstances(input, container, seen, old) : ofNothing(input, container, old);
    const failure = startAgain(input, kind, instances[0]) ? input.startFailures.get(container.name) : undefined;
    const status = failure ? waitingFor(known, failure) : known;
    return { ...status, ...readiness(input, container, kind, status, seen[0]) };
  });
}

/** A container that was seen, and can't be found any more; 137 says that it was killed. */
export function vanished(message: string): NonNullable<V1ContainerState['terminated']> {
  return { exitCode: 137, reason: 'ContainerStatusUnknown', message };
}

function ofInstances(
  input: ContainerStatusInput,
  container: V1Container,
  [current, before]: readonly RuntimeContainer[],
  old: V1ContainerStatus | undefined,
): V1ContainerStatus {
  if (current === undefined) return ofNothing(input, container, old);
  const limit = messageLimit(input.spec);
  const containerID = `docker://${current.id}`;
  const forgotten = old?.containerID === containerID ? old.lastState : endOf(old);
  const lastState = before ? stateOf(before, undefined, limit) : forgotten;
  return {
    name: container.name,
    state: stateOf(current, old?.containerID === containerID ? old : undefined, limit),
    ...(lastState ? { lastState } : {}),
    ready: false,
    restartCount: Math.max(current.attempt, old?.restartCount ?? 0),
    image: current.image || (container.image ?? ''),
    imageID: current.imageId,
    containerID,
  };
}

/** How the earlier instance ended, where the status knew that. */
function endOf(old: V1ContainerStatus | undefined): V1ContainerState | undefined {
  return old?.state?.terminated ? { terminated: old.state.terminated } : old?.lastState;
}

function ofNothing(
  input: ContainerStatusInput,
  container: V1Container,
  old: V1ContainerStatus | undefined,
): V1ContainerStatus {
  if (old?.state?.terminated) return old;
  const reason = (input.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating';
  const base: V1ContainerStatus = {
    name: container.name,
    state: { waiting: { reason } },
    ...(old?.lastState ? { lastState: old.lastState } : {}),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
  };
  if (!old?.state?.running) return base;
  // It ran, and somebody has removed it: the pod must not look as if it had never been started.
  if (input.terminating) {
    const terminated = vanished('The container could not be located when the pod was terminated');
    return { ...old, ready: false, state: { terminated: { ...terminated, ...idOf(old) } } };
  }
  const terminated = vanished('The container could not be located.  The container used to be Running');
  return { ...base, lastState: { terminated: { ...terminated, ...idOf(old) } } };
}

function idOf({ containerID }: V1ContainerStatus): { containerID?: string } {
  return containerID === undefined ? {} : { containerID };
}

function stateOf(
  instance: RuntimeContainer,
  old: V1ContainerStatus | undefined,
  messageBytes: number,
): V1ContainerState {
  const { state, exitCode, startedAtMs, createdAtMs, finishedAtMs } = instance;
  const startedMs = startedAtMs || createdAtMs;
  if (state === 'running') return { running: { startedAt: apiTime(startedMs) } };
  if (state === 'exited') {
    const message = cutToBytes(instance.message, messageBytes);
    return {
      terminated: {
        exitCode,
        reason: instance.reason || (exitCode === 0 ? 'Completed' : 'Error'),
        ...(message === '' ? {} : { message }),
        startedAt: apiTime(startedMs),
        finishedAt: apiTime(finishedAtMs || startedMs),
        containerID: `docker://${instance.id}`,
      },
    };
  }
  if (old?.state?.terminated) return old.state;
  if (!old?.state?.running) return { waiting: {} };
  const terminated = vanished('The container could not be located when the pod was terminated');
  return { terminated: { ...terminated, containerID: `docker://${instance.id}` } };
}

/** Whether the next sync would start it (v1.20 `container/helpers.go` ShouldContainerBeRestarted). */
function startAgain(input: ContainerStatusInput, kind: ContainerKind, newest: RuntimeContainer | undefined): boolean {
  if (input.terminating || newest?.state === 'running') return false;
  if (newest?.state !== 'exited') return true;
  if (kind === 'sidecar') return true;
  if (kind === 'ephemeral') return false;
  if (kind === 'init' && newest.exitCode === 0) return false;
  const { restartPolicy = 'Always' } = input.spec;
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && newest.exitCode !== 0);
}

function waitingFor(status: V1ContainerStatus, { reason, message }: StartFailure): V1ContainerStatus {
  const lastState = endOf(status);
  return { ...status, state: { waiting: { reason, message } }, ...(lastState ? { lastState } : {}) };
}

function readiness(
  input: ContainerStatusInput,
  container: V1Container,
  kind: ContainerKind,
  { state }: V1ContainerStatus,
  instance: RuntimeContainer | undefined,
): { ready: boolean; started?: boolean } {
  const running = state?.running !== undefined && instance !== undefined;
  if (kind === 'ephemeral') return { ready: false };
  if (kind === 'init') {
    const ready = state?.terminated?.exitCode === 0;
    return input.minor >= 28 ? { ready, started: running } : { ready };
  }
  const passed = (probe: 'startup' | 'readiness') => running && input.probes.result(instance.id, probe) === 'success';
  const started = running && (container.startupProbe === undefined || passed('startup'));
  const ready = started && (container.readinessProbe === undefined || passed('readiness'));
  return { ready, started };
}

function messageLimit(spec: V1PodSpec): number {
  const containers = spec.containers.length + (spec.initContainers ?? []).length;
  return Math.floor(podMessageBytes / Math.max(containers, 1));
}

function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  // A character cut in two would become a replacement character, which is longer.
  return Buffer.from(text)
    .subarray(0, bytes)
    .toString()
    .replace(/\uFFFD+$/u, '');
}
