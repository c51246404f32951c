import type { MetricFamily, Sample } from '../../base/metrics-registry.js';
import type { Measurement } from './usage-collector.js';

/** /metrics/resource of one reading. Pure. Source: metrics/collectors/resource_metrics.go, v1.20. */
export function resourceFamilies(measurement: Measurement | undefined): readonly MetricFamily[] {
  const error = family(
    'scrape_error',
    'gauge',
    '1 if there was an error while getting container metrics, 0 otherwise',
    [{ value: measurement === undefined ? 1 : 0 }],
  );
  if (measurement === undefined) return [error];
  const { node, pods } = measurement;
  const containers = pods.flatMap((one) =>
    one.containers.map((each) => ({ ...each, labels: podLabels(one.pod.metadata) })),
  );
  const containerSamples = (value: (each: (typeof containers)[number]) => number): Sample[] =>
    containers.map((each) => ({
      labels: { ...each.labels, container: each.container.name },
      value: value(each),
      timeMs: each.stats.timeMs,
    }));
  const podSamples = (
    value: (stats: { cpuUsageNanoseconds: number; memoryWorkingSetBytes: number }) => number,
  ): Sample[] =>
    pods.map(({ pod, containers: own, sandboxStats }) => {
      const all = [...own.map(({ stats }) => stats), ...(sandboxStats === undefined ? [] : [sandboxStats])];
      return {
        labels: podLabels(pod.metadata),
        value: all.reduce((total, stats) => total + value(stats), 0),
        timeMs: sandboxStats?.timeMs ?? node.timeMs,
      };
    });
  const { timeMs } = node;
  return [
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the container in core-seconds',
      [...containerSamples(({ stats }) => stats.cpuUsageNanoseconds / 1e9)],
    ),
    family('container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes', [
      ...containerSamples(({ stats }) => stats.memoryWorkingSetBytes),
    ]),
    family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
      { value: node.cpuUsageNanoseconds / 1e9, timeMs },
    ]),
    family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
      { value: node.memoryWorkingSetBytes, timeMs },
    ]),
    family('pod_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the pod in core-seconds', [
      ...podSamples((stats) => stats.cpuUsageNanoseconds / 1e9),
    ]),
    family('pod_memory_working_set_bytes', 'gauge', 'Current working set of the pod in bytes', [
      ...podSamples((stats) => stats.memoryWorkingSetBytes),
    ]),
    error,
  ];
}

export function podLabels(metadata: { readonly name?: string; readonly namespace?: string } | undefined) {
  return { pod: metadata?.name ?? '', namespace: metadata?.namespace ?? '' };
}

function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type, samples };
}
