import type { V1Pod } from '../../kube/pod-objects.js';
import { podLimits, podRequests, qosClassOf } from '../pod/qos.js';
import { toMillis } from '../pod/quantity.js';
import { cpuPeriodUs, quotaOf, sharesOf } from './resources.js';

/** What a pod's cgroup holds; what is absent is left as it is. */
export interface PodCgroupValues {
  readonly cpuShares: number;
  readonly cpuQuotaUs?: number;
  readonly memoryBytes?: number;
  readonly pids?: number;
}

/** One file of a cgroup and its content. Controllers of version 1 have a folder each; version 2 has none: empty. */
export interface CgroupFile {
  readonly controller: string;
  readonly name: string;
  readonly value: string;
}

/**
 * A pod's own limits; those of a burstable pod count only where every container has one (v1.20
 * `cm/helpers_linux.go` `ResourceConfigForPod`). `podPidsLimit` of 0 or less is none.
 */
export function podCgroupValues(pod: V1Pod, podPidsLimit: number): PodCgroupValues {
  const qos = qosClassOf(pod);
  const pids = podPidsLimit > 0 ? { pids: podPidsLimit } : {};
  if (qos === 'BestEffort') return { cpuShares: sharesOf(0), ...pids };
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const all = (name: string) =>
    qos === 'Guaranteed' ||
    (pod.spec?.containers ?? []).every((container) => container.resources?.limits?.[name] !== undefined);
  return {
    cpuShares: sharesOf(toMillis(requests['cpu'] ?? 0)),
    ...(all('cpu') && limits['cpu'] ? { cpuQuotaUs: quotaOf(toMillis(limits['cpu'])) } : {}),
    ...(all('memory') && limits['memory'] ? { memoryBytes: Math.ceil(limits['memory']) } : {}),
    ...pids,
  };
}

/** The values as the kernel's files of that version take them. */
export function cgroupFiles(values: PodCgroupValues, version: 1 | 2): readonly CgroupFile[] {
  const { cpuShares, cpuQuotaUs, memoryBytes, pids } = values;
  const files: CgroupFile[] = [];
  const put = (controller: string, name: string, value: number | string | undefined) => {
    if (value === undefined) return;
    files.push({ controller: version === 1 ? controller : '', name, value: String(value) });
  };
  if (version === 1) {
    put('cpu', 'cpu.shares', cpuShares);
    if (cpuQuotaUs !== undefined) put('cpu', 'cpu.cfs_period_us', cpuPeriodUs);
    put('cpu', 'cpu.cfs_quota_us', cpuQuotaUs);
    put('memory', 'memory.limit_in_bytes', memoryBytes);
  } else {
    put('cpu', 'cpu.weight', weightOf(cpuShares));
    if (cpuQuotaUs !== undefined) put('cpu', 'cpu.max', `${cpuQuotaUs} ${cpuPeriodUs}`);
    put('memory', 'memory.max', memoryBytes);
  }
  put('pids', 'pids.max', pids);
  return files;
}

/** Shares of 2…262144 on version 2's scale of 1…10000, as runc maps them. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}
