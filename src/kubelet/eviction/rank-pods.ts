import type { V1Pod } from '../../kube/pod-objects.js';
import { isCriticalPod, podUidOf } from '../pod/pod-names.js';
import { podRequests } from '../pod/qos.js';
import type { PodUid } from '../types.js';

/** Bytes (or processes) that a pod uses of what runs out; 0 where nobody knows. */
export type UsageOf = (uid: PodUid) => number;

/**
 * Whom to evict first: those that use more than they asked for, then the least important, then whoever is furthest above
 * its request (v1.20 `pkg/kubelet/eviction/helpers.go`, rankMemoryPressure and rankDiskPressureFunc). Critical pods are not
 * in the answer. Pure.
 */
export function rankForEviction(pods: readonly V1Pod[], resource: string, usageOf: UsageOf): readonly V1Pod[] {
  const facts = new Map(
    pods.map((pod) => {
      const usage = usageOf(podUidOf(pod));
      const request = podRequests(pod)[resource] ?? 0;
      return [pod, { over: usage - request, exceeds: usage > request, priority: pod.spec?.priority ?? 0 }] as const;
    }),
  );
  const none = { over: 0, exceeds: false, priority: 0 };
  return pods
    .filter((pod) => !isCriticalPod(pod))
    .toSorted((a, b) => {
      const [left, right] = [facts.get(a) ?? none, facts.get(b) ?? none];
      return Number(right.exceeds) - Number(left.exceeds) || left.priority - right.priority || right.over - left.over;
    });
}
