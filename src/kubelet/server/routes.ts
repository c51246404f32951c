import { makeAttachEndpoint } from './attach-endpoint.js';
import { makeContainerLogsEndpoint } from './container-logs-endpoint.js';
import { makeExecEndpoint } from './exec-endpoint.js';
import { makeHealthzEndpoint } from './healthz-endpoint.js';
import { HttpFault } from './http-fault.js';
import { makeMetricsEndpoints } from './metrics-endpoint.js';
import { makePodsEndpoint } from './pods-endpoint.js';
import { makePortForwardEndpoint } from './port-forward-endpoint.js';
import { type Endpoint, sendJson } from './request-context.js';
import type { Route } from './router.js';
import { makeRunEndpoint } from './run-endpoint.js';
import type { EndpointOptions } from './server-types.js';
import { makeStatsEndpoint } from './stats-endpoint.js';
import { makeSystemLogsEndpoint } from './system-logs-endpoint.js';
import type { MeasureUsage } from './usage-collector.js';

const get = ['GET'];
const post = ['POST'];
const both = ['GET', 'POST'];

/** What the read-only port has as well. Source: server.go InstallDefaultHandlers, v1.20. */
export function readOnlyRoutes(options: EndpointOptions, measure: MeasureUsage): readonly Route[] {
  const { host } = options;
  const metrics = makeMetricsEndpoints(options.metrics, measure);
  return [
    { path: '/healthz/*', methods: get, endpoint: makeHealthzEndpoint(options.checks) },
    { path: '/pods', methods: get, endpoint: makePodsEndpoint(() => host.pods()) },
    { path: '/stats', methods: get, endpoint: makeStatsEndpoint(measure, options.nodeName) },
    { path: '/stats/summary', methods: both, endpoint: makeStatsEndpoint(measure, options.nodeName) },
    { path: '/metrics', methods: get, endpoint: metrics.own },
    { path: '/metrics/cadvisor', methods: get, endpoint: metrics.cadvisor },
    { path: '/metrics/resource', methods: get, endpoint: metrics.resource },
    { path: '/metrics/probes', methods: get, endpoint: metrics.probes },
    { path: '/spec', methods: get, endpoint: ({ response }) => sendJson(response, host.machineInfo()) },
  ];
}

/** Those that show more than numbers, or do something. Source: server.go InstallDebuggingHandlers, v1.20. */
export function debuggingRoutes(options: EndpointOptions): readonly Route[] {
  const { host } = options;
  if (options.enableDebuggingHandlers === false) return disabledRoutes();
  const logs = makeSystemLogsEndpoint(options.hostRoot);
  return [
    ...inContainer('exec', both, makeExecEndpoint(options)),
    ...inContainer('attach', both, makeAttachEndpoint(options)),
    ...inContainer('run', post, makeRunEndpoint(options)),
    ...inPod('portForward', both, makePortForwardEndpoint(options)),
    {
      path: '/containerLogs/:namespace/:pod/:container',
      methods: get,
      endpoint: makeContainerLogsEndpoint(options),
    },
    { path: '/runningpods', methods: get, endpoint: makePodsEndpoint(() => host.runningPods()) },
    {
      path: '/configz',
      methods: get,
      endpoint: ({ response }) => sendJson(response, { kubeletconfig: host.configz() }),
    },
    { path: '/logs/*', methods: get, endpoint: logs },
  ];
}

function inContainer(root: string, methods: readonly string[], endpoint: Endpoint): readonly Route[] {
  return [
    { path: `/${root}/:namespace/:pod/:container`, methods, endpoint },
    { path: `/${root}/:namespace/:pod/:uid/:container`, methods, endpoint },
  ];
}

function inPod(root: string, methods: readonly string[], endpoint: Endpoint): readonly Route[] {
  return [
    { path: `/${root}/:namespace/:pod`, methods, endpoint },
    { path: `/${root}/:namespace/:pod/:uid`, methods, endpoint },
  ];
}

function disabledRoutes(): readonly Route[] {
  const endpoint: Endpoint = () => {
    throw new HttpFault(405, 'Debug endpoints are disabled.');
  };
  const roots = ['run', 'exec', 'attach', 'portForward', 'containerLogs', 'runningpods', 'logs'];
  return roots.map((root) => ({ path: `/${root}/*`, methods: both, endpoint }));
}
