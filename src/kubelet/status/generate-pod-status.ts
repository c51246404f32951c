import { apiTime } from '../../kube/kube-time.js';
import type { V1ContainerStatus, V1Pod, V1PodCondition, V1PodSpec, V1PodStatus } from '../../kube/pod-objects.js';
import { isKubeletCondition, mergeConditions } from '../pod/conditions.js';
import { qosClassOf } from '../pod/qos.js';
import type { ProbeResults, RuntimePodStatus } from '../types.js';
import { type ContainerStatusInput, containerStatuses, type StartFailure, vanished } from './container-statuses.js';
import { generateConditions, hasRun } from './generate-conditions.js';
import { isTerminalPhase, podPhase } from './pod-phase.js';

/** All that a pod's status is drawn from. */
export interface PodStatusInput {
  /** The newest object of the API, or the static pod. Its status has the conditions of others. */
  readonly pod: V1Pod;
  readonly runtime: RuntimePodStatus;
  readonly probes: ProbeResults;
  /** By container name: why the last attempt to start it came to nothing. */
  readonly startFailures: ReadonlyMap<string, StartFailure>;
  /** What this kubelet said last; undefined after its start, when the API's word counts. */
  readonly previous: V1PodStatus | undefined;
  /** The node's, at least one. */
  readonly hostIps: readonly string[];
  readonly nowMs: number;
  /** It is being deleted or killed: nothing is started any more. */
  readonly terminating: boolean;
  /** Makes the pod failed for a reason of the kubelet's: `DeadlineExceeded`, `Evicted`, a refused admission. */
  readonly failure?: StartFailure | undefined;
  /** The API server's minor version, for what older ones don't know. */
  readonly options: { readonly minor: number };
}

/**
 * The status of a pod as the API server is to have it: pure, and equal input gives equal output (v1.20
 * `kubelet_pods.go` generateAPIPodStatus, later versions' fields as far as the API server knows them).
 */
export function generatePodStatus(input: PodStatusInput): V1PodStatus {
  const { pod, runtime, nowMs, terminating, failure } = input;
  const { minor } = input.options;
  const spec: V1PodSpec = pod.spec ?? { containers: [] };
  const before: V1PodStatus = input.previous ?? pod.status ?? {};
  const final = terminating && minor >= 27 && !runtime.containers.some(({ state }) => state === 'running');
  const statuses = statusLists({ ...input, spec, minor }, before, final);
  const terminal = [pod.status, before].find((status) => isTerminalPhase(status?.phase));
  const phase = terminal?.phase ?? (failure ? 'Failed' : podPhase(spec, statuses.init, statuses.app, final));
  const { reason, message } = terminal ?? failure ?? {};
  const lists = {
    ...(statuses.init.length > 0 ? { initContainerStatuses: statuses.init } : {}),
    containerStatuses: statuses.app,
    ...(statuses.ephemeral.length > 0 ? { ephemeralContainerStatuses: statuses.ephemeral } : {}),
  };
  const generation = minor >= 34 ? pod.metadata?.generation : undefined;
  const foreign = foreignConditions(pod, before);
  const own = [
    ...(minor >= 29 ? [readyToStart(runtime)] : []),
    ...generateConditions({ spec, status: { phase, ...lists }, foreign, minor }),
    { type: 'PodScheduled', status: 'True' } as const,
  ].map((condition) => (generation === undefined ? condition : { ...condition, observedGeneration: generation }));
  return {
    phase,
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    conditions: [...foreign, ...mergeConditions(ownConditions(before), own, nowMs)],
    ...addresses(input, spec, before),
    startTime: before.startTime ?? pod.status?.startTime ?? apiTime(nowMs),
    ...lists,
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

interface StatusLists {
  readonly init: readonly V1ContainerStatus[];
  readonly app: readonly V1ContainerStatus[];
  readonly ephemeral: readonly V1ContainerStatus[];
}

function statusLists(input: ContainerStatusInput, before: V1PodStatus, final: boolean): StatusLists {
  const { containers, initContainers = [], ephemeralContainers = [] } = input.spec;
  const init = containerStatuses(input, initContainers, 'init', before.initContainerStatuses);
  const app = containerStatuses(input, containers, 'app', before.containerStatuses).sort(byName);
  const ephemeral = containerStatuses(input, ephemeralContainers, 'ephemeral', before.ephemeralContainerStatuses).sort(
    byName,
  );
  if (!final) return { init, app, ephemeral };
  // Nothing will start any more: an app container without an end has none to come, unless the pod never got so far.
  const initialized =
    init.length === 0 || app.some(hasRun) || init.every(({ state }) => state?.terminated?.exitCode === 0);
  return { init, app: initialized ? app.map(ended) : app, ephemeral };
}

/** v1.27 `status_manager.go` TerminatePod. */
function ended(status: V1ContainerStatus): V1ContainerStatus {
  if (status.state?.terminated) return status;
  const terminated = vanished('The container could not be located when the pod was terminated');
  return { ...status, state: { terminated } };
}

function byName(a: V1ContainerStatus, b: V1ContainerStatus): number {
  return a.name < b.name ? -1 : 1;
}

function ownConditions({ conditions = [] }: V1PodStatus): V1PodCondition[] {
  return conditions.filter(({ type }) => isKubeletCondition(type));
}

/** Others' word as the API has it now; an announced disruption of the kubelet's own may not be there yet. */
function foreignConditions(pod: V1Pod, before: V1PodStatus): V1PodCondition[] {
  const theirs = (pod.status?.conditions ?? []).filter(({ type }) => !isKubeletCondition(type));
  const announced = (before.conditions ?? []).filter(
    ({ type }) => type === 'DisruptionTarget' && !theirs.some((condition) => condition.type === type),
  );
  return [...theirs, ...announced];
}

function readyToStart({ sandboxes }: RuntimePodStatus): V1PodCondition {
  const ready = sandboxes.some(({ state, ips, hostNetwork }) => state === 'ready' && (hostNetwork || ips.length > 0));
  return { type: 'PodReadyToStartContainers', status: ready ? 'True' : 'False' };
}

function addresses(
  { runtime, hostIps, options, pod }: PodStatusInput,
  spec: V1PodSpec,
  before: V1PodStatus,
): Partial<V1PodStatus> {
  const { minor } = options;
  const [hostIP] = hostIps;
  const sandbox = runtime.sandboxes.find(({ state, ips }) => state === 'ready' && ips.length > 0);
  const known = (before.podIPs ?? pod.status?.podIPs ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  // Dual stack is alpha before 1.21.
  const ips = spec.hostNetwork ? hostIps.slice(0, minor >= 21 ? 2 : 1) : (sandbox?.ips ?? known);
  const [podIP] = ips;
  return {
    ...(hostIP === undefined ? {} : { hostIP }),
    ...(minor >= 29 && hostIP !== undefined ? { hostIPs: hostIps.map((ip) => ({ ip })) } : {}),
    ...(podIP === undefined ? {} : { podIP, podIPs: ips.map((ip) => ({ ip })) }),
  };
}
