import { createServer } from 'node:http';
import type { Logger } from '../../base/logger.js';
import { makeHealthzEndpoint } from './healthz-endpoint.js';
import { createHttpListener, type HttpListener } from './http-listener.js';
import { makeRouter } from './router.js';
import type { HealthChecks } from './server-types.js';

export interface HealthServerOptions {
  /** Upstream's: `127.0.0.1` and 10248. */
  readonly address: string;
  readonly port: number;
  /** Beside `ping` and `log`, which always pass. */
  readonly checks: HealthChecks;
  readonly logger: Logger;
}

/** Plain HTTP with /healthz alone, for those on the machine who ask whether the kubelet lives. */
export function createHealthServer(options: HealthServerOptions): HttpListener {
  return createHttpListener({
    server: createServer(),
    address: options.address,
    port: options.port,
    router: makeRouter([{ path: '/healthz/*', methods: ['GET'], endpoint: makeHealthzEndpoint(options.checks) }]),
    authorize: () => Promise.resolve(),
    logger: options.logger,
  });
}
