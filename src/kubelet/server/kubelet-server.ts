import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { MetricsRegistry } from '../../base/metrics-registry.js';
import { createAuthorizer } from './auth.js';
import { createHttpListener, type HttpListener, keepAliveTimeoutMs, maxHeaderBytes } from './http-listener.js';
import { registerOwnMetrics } from './metrics-endpoint.js';
import { makeRouter } from './router.js';
import { debuggingRoutes, readOnlyRoutes } from './routes.js';
import type { EndpointOptions, ServerAuth } from './server-types.js';
import { createUsageCollector } from './usage-collector.js';

export interface KubeletServerOptions extends EndpointOptions {
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly auth: ServerAuth;
  /** Plain HTTP without authentication, of numbers and pods alone; off where undefined or 0. */
  readonly readOnlyPort?: number | undefined;
}

export interface KubeletServer {
  /** Throws `Conflict` where a port is taken. */
  start(): Promise<{ readonly port: number }>;
  /** Ends every connection, exec and port-forward included. */
  stop(): Promise<void>;
  /** For connections from now on. Throws, and keeps the old one, for what isn't a pair. */
  updateCertificate(certificate: string, key: string): void;
}

/** The kubelet's HTTPS server. Throws Node's own error for a certificate or key that isn't one. Source: server.go, v1.20. */
export function createKubeletServer(options: KubeletServerOptions): KubeletServer {
  const { logger, metrics } = options;
  const measure = createUsageCollector(options);
  registerOwnMetrics(metrics, options.host, options.nodeName);
  const secure = (certificate: string, key: string) => ({
    cert: certificate,
    key,
    minVersion: 'TLSv1.2' as const,
    ...(options.auth.clientCa === undefined ? {} : { ca: options.auth.clientCa }),
  });
  const server = createHttpsServer({
    ...secure(options.certificate, options.key),
    // Who has no valid certificate may still have a token.
    requestCert: options.auth.clientCa !== undefined,
    rejectUnauthorized: false,
    maxHeaderSize: maxHeaderBytes,
    keepAliveTimeout: keepAliveTimeoutMs,
  });
  const readOnly = readOnlyRoutes(options, measure);
  const listener = createHttpListener({
    server,
    address: options.address,
    port: options.port,
    router: makeRouter([...readOnly, ...debuggingRoutes(options)]),
    authorize: createAuthorizer({ auth: options.auth, nodeName: options.nodeName, clock: options.clock, logger }),
    observe: makeObserver(metrics, 'readwrite'),
    logger,
  });
  const open: HttpListener[] = [];
  const { readOnlyPort } = options;

  return {
    async start() {
      const bound = await listener.start();
      open.push(listener);
      if (readOnlyPort !== undefined && readOnlyPort > 0) {
        const plain = createHttpListener({
          server: createHttpServer({ maxHeaderSize: maxHeaderBytes, keepAliveTimeout: keepAliveTimeoutMs }),
          address: options.address,
          port: readOnlyPort,
          router: makeRouter(readOnly),
          authorize: () => Promise.resolve(),
          observe: makeObserver(metrics, 'readonly'),
          logger,
        });
        await plain.start();
        open.push(plain);
      }
      return bound;
    },
    async stop() {
      await Promise.all(open.splice(0).map((each) => each.stop()));
    },
    updateCertificate: (certificate, key) => server.setSecureContext(secure(certificate, key)),
  };
}

const known = new Set([
  ...['healthz', 'pods', 'stats', 'metrics', 'metrics/cadvisor', 'metrics/probes', 'metrics/resource', 'spec', 'run'],
  ...['exec', 'attach', 'portForward', 'containerLogs', 'configz', 'runningpods', 'logs'],
]);
const longRunning = new Set(['exec', 'attach', 'portForward']);
const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

/** Counts answers by path and method, unknown ones as `other`. Source: server.go ServeHTTP, v1.20. */
function makeObserver(metrics: MetricsRegistry, serverType: string) {
  const requests = metrics.counter(
    'kubelet_http_requests_total',
    'Number of the http requests received since the server started',
  );
  const durations = metrics.histogram(
    'kubelet_http_requests_duration_seconds',
    'Duration in seconds to serve http requests',
  );
  return (method: string, segments: readonly string[], seconds: number) => {
    const path = segments.slice(0, segments[0] === 'metrics' ? 2 : 1).join('/');
    const labels = {
      method: methods.has(method) ? method : 'other',
      path: known.has(path) ? path : 'other',
      server_type: serverType,
      long_running: String(longRunning.has(path)),
    };
    requests.add(labels);
    durations.observe(seconds, labels);
  };
}
