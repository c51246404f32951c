import type { HostConfigBody, ResourcesBody } from '../../docker/runtime-types.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { isCriticalPod } from '../pod/pod-names.js';
import { qosClassOf } from '../pod/qos.js';
import { milliValue, wholeValue } from '../pod/quantity.js';

/** In microseconds: the kernel's own. */
export const cpuPeriodUs = 100_000;
const minShares = 2;
const maxShares = 262_144;
const minQuotaUs = 1000;
const guaranteedOomScore = -997;
const bestEffortOomScore = 1000;

/** A sandbox goes after everything in it. */
export const sandboxOomScore = -998;

/** Weight of a request in thousandths of a core (v1.20 `kuberuntime/helpers_linux.go`). */
export function sharesOf(millis: number): number {
  return Math.min(maxShares, Math.max(minShares, Math.floor((millis * 1024) / 1000)));
}

/** Microseconds of a period for a limit in thousandths of a core; 0 where there is no limit. */
export function quotaOf(millis: number): number {
  return millis === 0 ? 0 : Math.max(minQuotaUs, Math.floor((millis * cpuPeriodUs) / 1000));
}

/** Cpu and memory of one container as the engine takes them. Throws `InvalidConfig` on a malformed quantity. */
export function containerResources(container: V1Container): ResourcesBody {
  const requests = container.resources?.requests ?? {};
  const limits = container.resources?.limits ?? {};
  const cpuLimit = milliValue(limits['cpu'] ?? '0');
  const memory = wholeValue(limits['memory'] ?? '0');
  return {
    CpuShares: sharesOf(milliValue(requests['cpu'] ?? '0') || cpuLimit),
    CpuPeriod: cpuPeriodUs,
    CpuQuota: quotaOf(cpuLimit),
    // Both alike leave no room to swap.
    ...(memory > 0 ? { Memory: memory, MemorySwap: memory } : {}),
  };
}

/** The same for a container that runs: what isn't limited is said expressly, since the engine leaves a zero as it was. */
export function resourcesForUpdate(container: V1Container): ResourcesBody {
  const resources = containerResources(container);
  return resources.CpuQuota === 0 ? { ...resources, CpuQuota: -1 } : resources;
}

/** Who goes first when memory runs out: 1000 first (v1.20 `qos/policy.go`). `nodeMemoryBytes` above 0. */
export function oomScoreOf(pod: V1Pod, container: V1Container, nodeMemoryBytes: number): number {
  if (isCriticalPod(pod)) return guaranteedOomScore;
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return guaranteedOomScore;
  if (qos === 'BestEffort') return bestEffortOomScore;
  const { requests, limits } = container.resources ?? {};
  const request = wholeValue(requests?.['memory'] ?? limits?.['memory'] ?? '0');
  const score = 1000 - Math.floor((1000 * request) / nodeMemoryBytes);
  return Math.min(bestEffortOomScore - 1, Math.max(1000 + guaranteedOomScore, score));
}

/** The log of a container: a file that the engine itself rotates. Sizes as quantities. */
export function logConfig(maxSize: string, maxFiles: number): NonNullable<HostConfigBody['LogConfig']> {
  return { Type: 'json-file', Config: { 'max-size': String(wholeValue(maxSize)), 'max-file': String(maxFiles) } };
}
