import type { MetricFamily, Sample } from '../../base/metrics-registry.js';
import type { ContainerStats, NetworkStats } from '../../docker/runtime-types.js';
import { podLabels } from './resource-metrics.js';
import type { MeasuredPod, Measurement } from './usage-collector.js';

interface Measured {
  readonly labels: Readonly<Record<string, string>>;
  readonly stats: ContainerStats;
  readonly startedAtMs: number;
}

/**
 * /metrics/cadvisor of one reading: what is known of each container, under cAdvisor's names. Pure. Source:
 * vendor/github.com/google/cadvisor/metrics/prometheus.go, v1.20.
 */
export function cadvisorFamilies(measurement: Measurement): readonly MetricFamily[] {
  const { node, pods } = measurement;
  const measured = pods.flatMap(measuredOf);
  const samples = (value: (one: Measured) => number): Sample[] =>
    measured.map((one) => ({ labels: one.labels, value: value(one), timeMs: one.stats.timeMs }));
  const networks = (value: (stats: NetworkStats) => number): Sample[] =>
    pods.flatMap(({ pod, sandbox, sandboxStats }) => {
      // In the host's network the counters are the node's.
      if (sandbox === undefined || sandbox.hostNetwork || sandboxStats === undefined) return [];
      const labels = { ...labelsOf(pod.metadata, 'POD', sandbox.id, ''), container: 'POD' };
      return Object.entries(sandboxStats.networks).map(([name, stats]) => ({
        labels: { ...labels, interface: name },
        value: value(stats),
        timeMs: sandboxStats.timeMs,
      }));
    });
  return [
    counter('container_cpu_usage_seconds_total', 'Cumulative cpu time consumed in seconds.', [
      ...measured.map(({ labels, stats }) => ({
        labels: { ...labels, cpu: 'total' },
        value: stats.cpuUsageNanoseconds / 1e9,
        timeMs: stats.timeMs,
      })),
    ]),
    gauge('container_memory_usage_bytes', 'Current memory usage in bytes, including all memory.', [
      ...samples(({ stats }) => stats.memoryUsageBytes),
    ]),
    gauge('container_memory_working_set_bytes', 'Current working set in bytes.', [
      ...samples(({ stats }) => stats.memoryWorkingSetBytes),
    ]),
    gauge(
      'container_memory_rss',
      'Size of RSS in bytes.',
      samples(({ stats }) => stats.memoryRssBytes),
    ),
    counter('container_memory_failures_total', 'Cumulative count of memory allocation failures.', [
      ...measured.flatMap(({ labels, stats }) => [
        failure(labels, 'pgfault', stats.pageFaults, stats.timeMs),
        failure(labels, 'pgmajfault', stats.majorPageFaults, stats.timeMs),
      ]),
    ]),
    gauge('container_processes', 'Number of processes running inside the container.', [
      ...samples(({ stats }) => stats.processes),
    ]),
    gauge('container_start_time_seconds', 'Start time of the container since unix epoch in seconds.', [
      ...samples(({ startedAtMs }) => Math.floor(startedAtMs / 1000)),
    ]),
    gauge('container_last_seen', 'Last time a container was seen by the exporter', [
      ...samples(({ stats }) => Math.floor(stats.timeMs / 1000)),
    ]),
    counter('container_network_receive_bytes_total', 'Cumulative count of bytes received', [
      ...networks((stats) => stats.rxBytes),
    ]),
    counter('container_network_receive_errors_total', 'Cumulative count of errors encountered while receiving', [
      ...networks((stats) => stats.rxErrors),
    ]),
    counter('container_network_transmit_bytes_total', 'Cumulative count of bytes transmitted', [
      ...networks((stats) => stats.txBytes),
    ]),
    counter('container_network_transmit_errors_total', 'Cumulative count of errors encountered while transmitting', [
      ...networks((stats) => stats.txErrors),
    ]),
    gauge('machine_cpu_cores', 'Number of logical CPU cores.', [{ value: node.cpus }]),
    gauge('machine_memory_bytes', 'Amount of memory installed on the machine.', [{ value: node.memoryCapacityBytes }]),
  ];
}

function measuredOf({ pod, containers, sandbox, sandboxStats }: MeasuredPod): readonly Measured[] {
  const own = containers.map(({ container, stats }) => ({
    labels: labelsOf(pod.metadata, container.name, container.id, container.image),
    stats,
    startedAtMs: container.startedAtMs,
  }));
  if (sandbox === undefined || sandboxStats === undefined) return own;
  const labels = labelsOf(pod.metadata, 'POD', sandbox.id, '');
  return [...own, { labels, stats: sandboxStats, startedAtMs: sandbox.createdAtMs }];
}

function labelsOf(
  metadata: { readonly name?: string; readonly namespace?: string } | undefined,
  container: string,
  id: string,
  image: string,
) {
  return { ...podLabels(metadata), container, id: `/docker/${id}`, image, name: id };
}

function failure(labels: Readonly<Record<string, string>>, type: string, value: number, timeMs: number): Sample {
  return { labels: { ...labels, failure_type: type, scope: 'container' }, value, timeMs };
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}
