import { type MetricFamily, type MetricsRegistry, renderFamilies } from '../../base/metrics-registry.js';
import { cadvisorFamilies } from './cadvisor-metrics.js';
import { type Endpoint, type RequestContext, sendText } from './request-context.js';
import { resourceFamilies } from './resource-metrics.js';
import type { ServerHost } from './server-types.js';
import type { MeasureUsage } from './usage-collector.js';

const contentType = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsEndpoints {
  /** The kubelet's own. */
  readonly own: Endpoint;
  readonly cadvisor: Endpoint;
  readonly resource: Endpoint;
  /** `prober_probe_total` of the registry, and when the process started. */
  readonly probes: Endpoint;
}

/** Source: server.go InstallDefaultHandlers, v1.20. */
export function makeMetricsEndpoints(registry: MetricsRegistry, measure: MeasureUsage): MetricsEndpoints {
  const send = ({ response }: RequestContext, text: string) => sendText(response, 200, text, contentType);
  return {
    own: async (context) => send(context, withoutMetric(await registry.render(), 'prober_probe_total')),
    cadvisor: async (context) => send(context, renderFamilies(cadvisorFamilies(await measure()))),
    resource: async (context) => {
      const measurement = await measure().catch(() => undefined);
      send(context, renderFamilies(resourceFamilies(measurement)));
    },
    probes: async (context) => {
      const text = await registry.render();
      send(context, onlyMetrics(text, ['process_start_time_seconds', 'prober_probe_total']));
    },
  };
}

/** Metrics that are read when they are asked for: the process's, and how many pods and containers there are. */
export function registerOwnMetrics(registry: MetricsRegistry, host: ServerHost, nodeName: string): void {
  registry.gauge('kubelet_node_name', "The node's name. The count is always 1.").set(1, { node: nodeName });
  registry.collect(() => [...processFamilies(), ...podFamilies(host)]);
}

function processFamilies(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const { rss } = process.memoryUsage();
  const startedAt = Date.now() / 1000 - process.uptime();
  return [
    family(
      'process_cpu_seconds_total',
      'counter',
      'Total user and system CPU time spent in seconds.',
      (user + system) / 1e6,
    ),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', rss),
    family(
      'process_start_time_seconds',
      'gauge',
      'Start time of the process since unix epoch in seconds.',
      Math.round(startedAt),
    ),
  ];
}

function podFamilies(host: ServerHost): readonly MetricFamily[] {
  let pods = 0;
  const states = new Map<string, number>();
  for (const pod of host.pods()) {
    const status = host.knownStatus(pod);
    if (status?.sandboxes.some((sandbox) => sandbox.state === 'ready')) pods++;
    for (const { state } of status?.containers ?? []) states.set(state, (states.get(state) ?? 0) + 1);
  }
  return [
    family('kubelet_running_pods', 'gauge', 'Number of pods currently running', pods),
    {
      name: 'kubelet_running_containers',
      help: 'Number of containers currently running',
      type: 'gauge',
      samples: [...states].map(([state, value]) => ({ labels: { container_state: state }, value })),
    },
  ];
}

function family(name: string, type: 'counter' | 'gauge', help: string, value: number): MetricFamily {
  return { name, help, type, samples: [{ value }] };
}

function onlyMetrics(text: string, names: readonly string[]): string {
  return linesWhere(text, (name) => names.includes(name));
}

function withoutMetric(text: string, unwanted: string): string {
  return linesWhere(text, (name) => name !== unwanted);
}

function linesWhere(text: string, wanted: (name: string) => boolean): string {
  const lines = text.split('\n').filter((line) => {
    const name = /^(?:# (?:HELP|TYPE) )?([^ {]+)/.exec(line)?.[1];
    return name !== undefined && wanted(name);
  });
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
