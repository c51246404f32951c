import type { ContainerStats, NetworkStats } from '../../docker/runtime-types.js';
import { apiTime } from '../../kube/kube-time.js';
import { type Endpoint, sendJson } from './request-context.js';
import type { FsUsage, NodeUsage } from './server-types.js';
import type {
  ContainerSummary,
  CpuStats,
  FsStats,
  MemoryStats,
  NetworkSummary,
  NodeStats,
  PodStats,
  StatsSummary,
} from './stats-types.js';
import type { MeasuredContainer, MeasuredPod, Measurement, MeasureUsage } from './usage-collector.js';

/** Source: pkg/kubelet/server/stats/summary.go, v1.20. */
export function makeStatsEndpoint(measure: MeasureUsage, nodeName: string): Endpoint {
  return async ({ response }) => sendJson(response, statsSummary(await measure(), nodeName));
}

/** The summary of one reading. Pure. */
export function statsSummary(measurement: Measurement, nodeName: string): StatsSummary {
  return {
    node: nodeStats(measurement, nodeName),
    pods: measurement.pods.map((pod) => podStats(pod, measurement.node)),
  };
}

function nodeStats({ node, nodeNanoCores }: Measurement, nodeName: string): NodeStats {
  const time = apiTime(node.timeMs);
  return {
    nodeName,
    startTime: apiTime(node.startTimeMs),
    cpu: cpuOf(time, node.cpuUsageNanoseconds, nodeNanoCores),
    memory: {
      time,
      availableBytes: node.memoryAvailableBytes,
      usageBytes: node.memoryUsageBytes,
      workingSetBytes: node.memoryWorkingSetBytes,
      rssBytes: node.memoryRssBytes,
      pageFaults: node.pageFaults,
      majorPageFaults: node.majorPageFaults,
    },
    ...networkOf(time, node.networks, node.defaultInterface),
    fs: fsOf(time, node.fs),
    runtime: { imageFs: fsOf(time, node.imageFs) },
    rlimit: { time, maxpid: node.maxProcesses, curproc: node.processes },
  };
}

function podStats(measured: MeasuredPod, node: NodeUsage): PodStats {
  const { pod, containers, sandbox, sandboxStats } = measured;
  const time = apiTime(sandboxStats?.timeMs ?? node.timeMs);
  const all = [...containers.map(({ stats }) => stats), ...(sandboxStats === undefined ? [] : [sandboxStats])];
  const sum = (value: (stats: ContainerStats) => number) => all.reduce((total, stats) => total + value(stats), 0);
  const rates = containers.map(({ nanoCores }) => nanoCores).filter((rate) => rate !== undefined);
  const rate = rates.length === 0 ? undefined : rates.reduce((total, one) => total + one, 0);
  const { metadata, status } = pod;
  const logBytes = containers.reduce((total, container) => total + (container.logBytes ?? 0), 0);
  return {
    podRef: { name: metadata?.name ?? '', namespace: metadata?.namespace ?? '', uid: metadata?.uid ?? '' },
    startTime: status?.startTime ?? apiTime(sandbox?.createdAtMs ?? node.timeMs),
    containers: containers.map((container) => containerSummary(container, node)),
    cpu: cpuOf(
      time,
      sum((stats) => stats.cpuUsageNanoseconds),
      rate,
    ),
    memory: {
      time,
      usageBytes: sum((stats) => stats.memoryUsageBytes),
      workingSetBytes: sum((stats) => stats.memoryWorkingSetBytes),
      rssBytes: sum((stats) => stats.memoryRssBytes),
      pageFaults: sum((stats) => stats.pageFaults),
      majorPageFaults: sum((stats) => stats.majorPageFaults),
    },
    // In the host's network the node's counters are not the pod's.
    ...(sandbox?.hostNetwork === false ? networkOf(time, sandboxStats?.networks ?? {}, 'eth0') : {}),
    ...(measured.volumes.length === 0
      ? {}
      : {
          volume: measured.volumes.map(({ name, claimName, ...usage }) => ({
            ...fsOf(time, usage),
            name,
            ...(claimName === undefined ? {} : { pvcRef: { name: claimName, namespace: metadata?.namespace ?? '' } }),
          })),
        }),
    'ephemeral-storage': { ...fsOf(time, node.fs), usedBytes: logBytes, inodesUsed: undefined },
    process_stats: { process_count: sum((stats) => stats.processes) },
  };
}

function containerSummary(
  { container, stats, nanoCores, logBytes }: MeasuredContainer,
  node: NodeUsage,
): ContainerSummary {
  const time = apiTime(stats.timeMs);
  return {
    name: container.name,
    startTime: apiTime(container.startedAtMs),
    cpu: cpuOf(time, stats.cpuUsageNanoseconds, nanoCores),
    memory: memoryOf(time, stats),
    rootfs: { ...fsOf(time, node.imageFs), usedBytes: undefined, inodesUsed: undefined },
    logs: { ...fsOf(time, node.fs), usedBytes: logBytes, inodesUsed: undefined },
  };
}

function cpuOf(time: string, nanoseconds: number, nanoCores: number | undefined): CpuStats {
  return {
    time,
    ...(nanoCores === undefined ? {} : { usageNanoCores: nanoCores }),
    usageCoreNanoSeconds: Math.round(nanoseconds),
  };
}

function memoryOf(time: string, stats: ContainerStats): MemoryStats {
  return {
    time,
    usageBytes: stats.memoryUsageBytes,
    workingSetBytes: stats.memoryWorkingSetBytes,
    rssBytes: stats.memoryRssBytes,
    pageFaults: stats.pageFaults,
    majorPageFaults: stats.majorPageFaults,
  };
}

function networkOf(
  time: string,
  networks: Readonly<Record<string, NetworkStats>>,
  main: string,
): { network?: NetworkSummary } {
  const interfaces = Object.entries(networks).map(([name, stats]) => ({ name, ...stats }));
  const chosen = interfaces.find(({ name }) => name === main) ?? interfaces[0];
  return chosen === undefined ? {} : { network: { time, ...chosen, interfaces } };
}

function fsOf(time: string, usage: FsUsage): FsStats {
  return { time, ...usage };
}
