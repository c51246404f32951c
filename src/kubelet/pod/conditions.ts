import { apiTime } from '../../kube/kube-time.js';
import type { V1PodCondition } from '../../kube/pod-objects.js';

const ownTypes: ReadonlySet<string> = new Set([
  'PodScheduled',
  'Ready',
  'Initialized',
  'ContainersReady',
  'PodReadyToStartContainers',
]);

/** True for the conditions that the kubelet alone says (v1.20 `kubelet/types/pod_status.go`, and v1.29's). */
export function isKubeletCondition(type: string): boolean {
  return ownTypes.has(type);
}

/** The condition of that type; undefined where there is none. */
export function findCondition(
  conditions: readonly V1PodCondition[] | undefined,
  type: string,
): V1PodCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * What a pod's conditions are once `next` was found: those of `previous` that `next` says nothing about first, then
 * `next`. `lastTransitionTime` is the previous one's where the status is the same, else its own, else now.
 */
export function mergeConditions(
  previous: readonly V1PodCondition[] | undefined,
  next: readonly V1PodCondition[],
  nowMs: number,
): V1PodCondition[] {
  const kept = (previous ?? []).filter(({ type }) => findCondition(next, type) === undefined);
  const merged = next.map((condition) => {
    const before = findCondition(previous, condition.type);
    const lastTransitionTime =
      (before?.status === condition.status ? before.lastTransitionTime : condition.lastTransitionTime) ??
      apiTime(nowMs);
    return { ...condition, lastTransitionTime };
  });
  return [...kept, ...merged];
}
