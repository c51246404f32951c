import type { V1Container, V1ContainerStatus, V1PodCondition, V1PodSpec, V1PodStatus } from '../../kube/pod-objects.js';
import { findCondition } from '../pod/conditions.js';
import { isSidecar } from '../pod/containers.js';

/** What the conditions of a pod are drawn from: its status without them. */
export interface ConditionInput {
  readonly spec: V1PodSpec;
  readonly status: Pick<V1PodStatus, 'phase' | 'containerStatuses' | 'initContainerStatuses'>;
  /** Of others, for readiness gates. */
  readonly foreign: readonly V1PodCondition[];
  /** The API server's minor version: what a condition says of failed pods has changed. */
  readonly minor: number;
}

/** `Initialized`, `Ready` and `ContainersReady`, without times (v1.20 `kubelet/status/generate.go`, sidecars as from v1.28). */
export function generateConditions(input: ConditionInput): V1PodCondition[] {
  const containersReady = containersReadyCondition(input);
  return [initializedCondition(input), readyCondition(input, containersReady), containersReady];
}

/** `Ready`: all containers are, and so is every readiness gate. */
export function readyCondition(
  { spec, foreign }: Pick<ConditionInput, 'spec' | 'foreign'>,
  containersReady: V1PodCondition,
): V1PodCondition {
  if (containersReady.status !== 'True') return { ...containersReady, type: 'Ready' };
  const messages: string[] = [];
  for (const { conditionType } of spec.readinessGates ?? []) {
    const gate = findCondition(foreign, conditionType);
    const name = JSON.stringify(conditionType);
    if (gate === undefined) {
      messages.push(`corresponding condition of pod readiness gate ${name} does not exist.`);
    } else if (gate.status !== 'True') {
      messages.push(`the status of pod readiness gate ${name} is not "True", but ${gate.status}`);
    }
  }
  return messages.length === 0
    ? { type: 'Ready', status: 'True' }
    : { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

function containersReadyCondition({ spec, status, minor }: ConditionInput): V1PodCondition {
  const type = 'ContainersReady';
  const sidecars = (spec.initContainers ?? []).filter(isSidecar);
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const { unknown, incomplete } = sift([...sidecars, ...spec.containers], statuses, ({ ready }) => ready);
  if (status.phase === 'Succeeded' && unknown.length === 0) return { type, status: 'False', reason: 'PodCompleted' };
  if (status.phase === 'Failed' && minor >= 25) return { type, status: 'False', reason: 'PodFailed' };
  const message = namesMessage(unknown, 'unready', incomplete);
  if (message === '') return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotReady', message };
}

function initializedCondition({ spec, status }: ConditionInput): V1PodCondition {
  const type = 'Initialized';
  const containers = spec.initContainers ?? [];
  const sidecars = new Set(containers.filter(isSidecar).map(({ name }) => name));
  const { unknown, incomplete } = sift(containers, status.initContainerStatuses ?? [], ({ name, ready, started }) =>
    sidecars.has(name) ? started === true : ready,
  );
  if (status.phase === 'Succeeded' && unknown.length === 0) return { type, status: 'True', reason: 'PodCompleted' };
  // A sidecar that restarts later doesn't take back what has been.
  if (sidecars.size > 0 && (status.containerStatuses ?? []).some(hasRun)) return { type, status: 'True' };
  const message = namesMessage(unknown, 'incomplete', incomplete);
  if (message === '') return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotInitialized', message };
}

/** True where an instance of it has ever been started. */
export function hasRun({ state, lastState }: V1ContainerStatus): boolean {
  return state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated !== undefined;
}

function sift(
  containers: readonly V1Container[],
  statuses: readonly V1ContainerStatus[],
  isComplete: (status: V1ContainerStatus) => boolean,
): { unknown: string[]; incomplete: string[] } {
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const { name } of containers) {
    const status = statuses.find((candidate) => candidate.name === name);
    if (status === undefined) unknown.push(name);
    else if (!isComplete(status)) incomplete.push(name);
  }
  return { unknown, incomplete };
}

function namesMessage(unknown: readonly string[], word: string, names: readonly string[]): string {
  const parts: string[] = [];
  if (unknown.length > 0) parts.push(`containers with unknown status: [${unknown.join(' ')}]`);
  if (names.length > 0) parts.push(`containers with ${word} status: [${names.join(' ')}]`);
  return parts.join(', ');
}
