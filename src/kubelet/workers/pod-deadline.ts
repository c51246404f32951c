import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import type { Eviction } from './worker-types.js';

/**
 * When a pod has been active for as long as it may be, and what ends it then; undefined without such a limit. Wall-clock
 * milliseconds, counted from the status's start time. Source: `active_deadline.go` (v1.20).
 */
export function deadlineOf(
  pod: V1Pod,
  status: V1PodStatus,
): { readonly atMs: number; readonly eviction: Eviction } | undefined {
  const seconds = pod.spec?.activeDeadlineSeconds;
  if (seconds === undefined || !status.startTime) return undefined;
  return {
    atMs: Date.parse(status.startTime) + seconds * 1000,
    eviction: {
      graceSeconds: undefined,
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    },
  };
}
