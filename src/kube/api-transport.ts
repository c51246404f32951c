import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import { type Clock, systemClock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import { detailOf, isUnreachable, statusError, transportError } from './api-errors.js';
import { startDeadline } from './deadline.js';
import { tlsConnectOptions } from './tls-material.js';

export interface ApiTransportOptions {
  /** `https://ADDRESS:PORT`, with a path before the API's own where a proxy needs one. */
  readonly server: string;
  readonly caPem: string;
  readonly clientCertPem?: string | undefined;
  readonly clientKeyPem?: string | undefined;
  /** A bearer token, or what gives the current one before each call. */
  readonly token?: string | (() => Promise<string>) | undefined;
  /** For a whole call, answer read included; default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** The name that the server's certificate must have, where it isn't the one in `server`. */
  readonly serverName?: string | undefined;
  readonly clock?: Clock | undefined;
}

export interface ApiRequest {
  /** Begins every message about this call: `get Pod default/web`. */
  readonly action: string;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  /** Sent as JSON where it isn't text. */
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How often a 429 or 503 that names a Retry-After is tried again; default 5. */
  readonly retries?: number | undefined;
}

export interface ApiResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** An answer whose body is still to come. Call `end` when done with it, however it ended. */
export interface ApiStream {
  readonly body: Readable;
  /** The reason that the stream was cut short by us: deadline, abort. */
  failure(error: unknown): HyperupError;
  end(): void;
}

export interface ApiTransport {
  /** The whole answer, whatever its status. */
  exchange(request: ApiRequest): Promise<ApiResponse>;
  /** The whole answer of a call that succeeded; other statuses throw. */
  call(request: ApiRequest): Promise<ApiResponse>;
  /** Starts a long answer; `lifetimeMs` limits the whole of it, `timeoutMs` only the wait for its start. */
  stream(request: ApiRequest, lifetimeMs?: number): Promise<ApiStream>;
  close(): Promise<void>;
}

const defaultTimeoutMs = 30_000;
/** Calls in flight at once. Streams are counted apart, or a dozen watches would leave no connection for a call. */
const callConnections = 16;

/** HTTP/1.1 with kept connections to one API server. Nothing is opened before the first call. */
export function createApiTransport(options: ApiTransportOptions): ApiTransport {
  const { clock = systemClock, timeoutMs: defaultTimeout = defaultTimeoutMs } = options;
  const url = new URL(options.server);
  const prefix = url.pathname.replace(/\/+$/, '');
  const endpoint = url.origin;
  const tls = tlsConnectOptions(options);
  const pools = [callConnections, null].map((connections) => openPool(url.origin, tls, connections));
  const [calls, streams] = pools as [Pool, Pool];

  async function dispatch(pool: Pool, request: ApiRequest, signal: AbortSignal) {
    const token = typeof options.token === 'function' ? await options.token() : options.token;
    const { body } = request;
    return await pool.request({
      method: request.method,
      path: `${prefix}${request.path}${queryText(request.query)}`,
      headers: {
        accept: request.accept ?? 'application/json',
        'user-agent': 'hyperup',
        ...(body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      signal,
    });
  }

  async function once(request: ApiRequest): Promise<ApiResponse> {
    const deadline = startDeadline(request.action, request.timeoutMs ?? defaultTimeout, request.signal);
    try {
      const response = await dispatch(calls, request, deadline.signal);
      return { statusCode: response.statusCode, headers: response.headers, text: await response.body.text() };
    } catch (error) {
      throw deadline.reason() ?? transportError(request.action, endpoint, error);
    } finally {
      deadline.end();
    }
  }

  async function exchange(request: ApiRequest): Promise<ApiResponse> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await sendAgainIfReset(request, once);
      const waitMs = retryAfterMs(response);
      if (waitMs === undefined || attempt >= (request.retries ?? 5)) return response;
      await clock.sleep(waitMs, request.signal);
    }
  }

  return {
    exchange,
    async call(request) {
      const response = await exchange(request);
      if (response.statusCode >= 300) throw statusError(request.action, response.statusCode, response.text);
      return response;
    },
    async stream(request, lifetimeMs) {
      const deadline = startDeadline(request.action, request.timeoutMs ?? defaultTimeout, request.signal);
      const failure = (error: unknown) => deadline.reason() ?? transportError(request.action, endpoint, error);
      try {
        const response = await dispatch(streams, request, deadline.signal);
        if (response.statusCode >= 300) {
          throw statusError(request.action, response.statusCode, await response.body.text());
        }
        deadline.extend(lifetimeMs);
        const { body } = response;
        const end = () => {
          deadline.end();
          // Whoever destroys a body that is still being sent gets an error event; that is what was asked for.
          body.on('error', () => {});
          body.destroy();
        };
        return { body, failure, end };
      } catch (error) {
        deadline.end();
        throw failure(error);
      }
    },
    async close() {
      const reason = new HyperupError('Aborted', `talk to ${endpoint}: the client was closed`);
      await Promise.all(pools.map((pool) => pool.destroy(reason)));
    },
  };
}

function openPool(origin: string, tls: ReturnType<typeof tlsConnectOptions>, connections: number | null): Pool {
  return new Pool(origin, {
    connections,
    // The API server keeps idle connections for as long as we do; a TLS handshake costs more than a socket.
    keepAliveTimeout: 60_000,
    // Every call has a deadline of its own, and a quiet watch is a healthy one.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000, ...tls },
  });
}

/** A kept connection may have died with the server that it led to; reading again over a new one changes nothing. */
async function sendAgainIfReset(
  request: ApiRequest,
  send: (request: ApiRequest) => Promise<ApiResponse>,
): Promise<ApiResponse> {
  try {
    return await send(request);
  } catch (error) {
    const errno = detailOf(error, 'errno');
    const reset = errno === 'UND_ERR_SOCKET' || errno === 'ECONNRESET' || errno === 'EPIPE';
    if (request.method !== 'GET' || !reset || !isUnreachable(error)) throw error;
    return await send(request);
  }
}

function retryAfterMs(response: ApiResponse): number | undefined {
  if (response.statusCode !== 429 && response.statusCode !== 503) return undefined;
  const header = response.headers['retry-after'];
  return typeof header === 'string' && /^\d+$/.test(header) ? Math.min(Number(header), 30) * 1000 : undefined;
}

function queryText(query: ApiRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
