import type { ContainerStats, NetworkStats } from './runtime-types.js';

/** `GET /containers/{id}/stats`, as far as it is read. Of a container that doesn't run all is zero or absent. */
export interface WireStats {
  readonly read?: string;
  readonly pids_stats?: { readonly current?: number };
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: WirePages | null };
  readonly networks?: Readonly<Record<string, WireNetwork>> | null;
}

interface WirePages {
  readonly total_inactive_file?: number;
  readonly inactive_file?: number;
  readonly total_rss?: number;
  readonly rss?: number;
  readonly anon?: number;
  readonly pgfault?: number;
  readonly pgmajfault?: number;
}

interface WireNetwork {
  readonly rx_bytes?: number;
  readonly rx_errors?: number;
  readonly tx_bytes?: number;
  readonly tx_errors?: number;
}

/**
 * One reading, of either cgroup version: what v1 calls `total_inactive_file`, `total_rss`, `pgfault` is in v2 called
 * `inactive_file`, `anon`, `pgfault` (cadvisor's working set: usage less inactive file pages). Undefined where it doesn't run.
 */
export function toContainerStats(wire: WireStats): ContainerStats | undefined {
  const timeMs = Date.parse(wire.read ?? '');
  if (!(timeMs > 0)) return undefined;
  const pages: WirePages = wire.memory_stats?.stats ?? {};
  const usage = wire.memory_stats?.usage ?? 0;
  const inactive = pages.total_inactive_file ?? pages.inactive_file ?? 0;
  return {
    timeMs,
    cpuUsageNanoseconds: wire.cpu_stats?.cpu_usage?.total_usage ?? 0,
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: Math.max(0, usage - inactive),
    memoryRssBytes: pages.total_rss ?? pages.rss ?? pages.anon ?? 0,
    pageFaults: pages.pgfault ?? 0,
    majorPageFaults: pages.pgmajfault ?? 0,
    processes: wire.pids_stats?.current ?? 0,
    networks: Object.fromEntries(
      Object.entries(wire.networks ?? {}).map(([name, network]) => [name, toNetwork(network)]),
    ),
  };
}

function toNetwork(network: WireNetwork): NetworkStats {
  return {
    rxBytes: network.rx_bytes ?? 0,
    rxErrors: network.rx_errors ?? 0,
    txBytes: network.tx_bytes ?? 0,
    txErrors: network.tx_errors ?? 0,
  };
}
