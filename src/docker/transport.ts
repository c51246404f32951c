import { Agent as HttpAgent, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { finished, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import Dockerode from 'dockerode';
import type { Clock } from '../base/clock.js';
import { HyperupError, messageOf } from '../base/errors.js';
import { withoutServerName } from '../base/without-server-name.js';
import { withDeadline } from './deadline.js';
import type { Connection } from './endpoint.js';
import { answerError, isConnectionFault, transportError } from './errors.js';
import type { EnginePhrase } from './phrases.js';
import { pipeLent } from './pipe-lent.js';
import { dialUpgrade } from './upgrade.js';

/** Time limit of calls that the engine answers at once, milliseconds. */
export const shortCallMs = 30_000;

export interface EngineRequest {
  /** What is being done to what, the beginning of every error message: `pull registry:5000/pause:3.2`. */
  readonly action: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Without version prefix and query; already escaped. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: object;
  readonly upload?: Readable;
  readonly auth?: object | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Limit of the whole call for `call`, up to the answer's header for `open`. Null: none. */
  readonly timeoutMs?: number | null;
  readonly scope?: EnginePhrase['scope'];
}

export interface EngineAnswer {
  readonly status: number;
  /** Parsed JSON, or the text where it isn't JSON, or undefined where it is empty. */
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

/** HTTP to one engine. Every failure is a HyperupError: an answer of 400 and above, a lost connection, a time limit. */
export interface Transport {
  readonly endpoint: string;
  readonly clock: Clock;
  /** A call with a whole answer, under a time limit of 30 s unless the request says otherwise. */
  call(request: EngineRequest): Promise<EngineAnswer>;
  /** A call whose answer is a stream. Its own errors are raw: see `streamError`. */
  open(request: EngineRequest): Promise<IncomingMessage>;
  /**
   * A `POST` that turns into a raw two-way connection, the caller's to end. The time limit of 30 s covers the wait for
   * it alone. Its own errors are raw: see `streamError`; it has a listener for them, so that they never go unheard.
   */
  upgrade(request: Omit<EngineRequest, 'method' | 'upload'>): Promise<Socket>;
  /** The same connection with every path under `/v<version>`. */
  pinned(version: string): Transport;
  /** Ends whatever is under way. */
  close(): void;
}

/** Every status counts as success for docker-modem: it would otherwise turn the engine's message into its own sentence. */
const everyStatus: Readonly<Record<number, boolean>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [100 + index, true]),
);

export interface TransportOptions {
  /**
   * Keeps idle connections for the next call, for callers that call many times a second. A `GET` that meets a
   * connection whose engine was restarted meanwhile is sent again; anything else fails with `EngineUnreachable`.
   */
  readonly keepAlive?: boolean | undefined;
}

/** Idle connections that are kept; more come and go with the calls. */
const idleConnections = 8;

/**
 * Opens nothing yet: connections are made by the calls, one each unless `keepAlive` is set, so that an engine that was
 * restarted in between is never met by a stale one. Dockerode's own methods aren't used: several ignore an abort
 * signal, never settle when the engine dies in the middle of an answer, or parse log text as JSON.
 */
export function makeTransport(
  endpoint: string,
  connection: Connection,
  clock: Clock,
  { keepAlive = false }: TransportOptions = {},
): Transport {
  const agent =
    connection.kind === 'tls'
      ? new (process.getBuiltinModule('node:https').Agent)({
          keepAlive,
          maxFreeSockets: idleConnections,
          rejectUnauthorized: connection.verify,
        })
      : new HttpAgent({ keepAlive, maxFreeSockets: idleConnections, ...withoutServerName });
  // For every request docker-modem renders its options in depth, for a debug line that nobody sees: with the
  // connections of 20 streams in the agent that costs 20 ms of CPU a call.
  Object.assign(agent, { [inspect.custom]: () => 'Agent' });
  // Every key is given, since docker-modem fills the absent ones from DOCKER_HOST and its like.
  const options = {
    socketPath: undefined,
    host: undefined,
    port: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
    version: undefined,
    timeout: undefined,
    pathPrefix: '/',
    agent,
    ...modemAddress(connection),
  };
  const { modem } = makeDockerode(options as Dockerode.DockerOptions);
  const raw = new Set<Socket>();
  const wire: Wire = {
    connection,
    raw,
    dial: async (prefix, request, signal) => {
      try {
        return await dial(modem, prefix, request, signal);
      } catch (error) {
        if (!keepAlive || request.method !== 'GET' || signal.aborted || !isConnectionFault(error)) throw error;
        for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
        return dial(modem, prefix, request, signal);
      }
    },
    close: () => {
      agent.destroy();
      for (const socket of raw) socket.destroy();
    },
  };
  return transportOver(wire, endpoint, '', clock);
}

/** What lies below one endpoint's transports, whatever their version. */
interface Wire {
  readonly connection: Connection;
  /** Upgraded connections, which no agent knows any more. */
  readonly raw: Set<Socket>;
  dial(prefix: string, request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage>;
  close(): void;
}

function makeDockerode(options: Dockerode.DockerOptions): Dockerode {
  try {
    return new Dockerode(options);
  } catch (error) {
    // docker-modem reads DOCKER_HOST and its certificates in any case, also where the options outrank them all.
    throw new HyperupError('InvalidConfig', `read DOCKER_HOST and its certificates: ${messageOf(error)}`, {
      hint: 'Correct DOCKER_HOST and DOCKER_CERT_PATH, or unset them.',
      cause: error,
    });
  }
}

function modemAddress(connection: Connection) {
  if (connection.kind === 'unix') return { protocol: 'http', socketPath: connection.path };
  const { host, port } = connection;
  if (connection.kind === 'tcp') return { protocol: 'http', host, port };
  return { protocol: 'https', host, port, ca: connection.ca, cert: connection.cert, key: connection.key };
}

function transportOver(wire: Wire, endpoint: string, prefix: string, clock: Clock): Transport {
  const send = async (request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage> => {
    let response: IncomingMessage;
    try {
      response = await wire.dial(prefix, request, signal);
    } catch (error) {
      throw transportError(request.action, endpoint, error);
    }
    if ((response.statusCode ?? 0) < 400) return response;
    throw await refusal(request, response);
  };
  return {
    endpoint,
    clock,
    call: (request) =>
      withDeadline(request.action, limits(clock, request), async (signal) => {
        const response = await send(request, signal);
        const body = await text(response).catch((error: unknown) => {
          throw transportError(request.action, endpoint, error);
        });
        return { status: response.statusCode ?? 0, body: parseBody(body), headers: response.headers };
      }),
    open: async (request) => {
      // The time limit covers the wait for the header alone; the caller's signal goes on to cut the body.
      const response = await withDeadline(
        request.action,
        limits(clock, { ...request, timeoutMs: request.timeoutMs ?? null }),
        (signal) => send(request, signal),
      );
      const onAbort = () => response.destroy();
      request.signal?.addEventListener('abort', onAbort, { once: true });
      response.once('close', () => request.signal?.removeEventListener('abort', onAbort));
      if (request.signal?.aborted) onAbort();
      return response;
    },
    upgrade: (request) =>
      withDeadline(request.action, limits(clock, request), async (signal) => {
        const path = `${prefix}${request.path}?${queryString(request.query)}`;
        const answer = await dialUpgrade(wire.connection, path, request.body, signal).catch((error: unknown) => {
          throw transportError(request.action, endpoint, error);
        });
        if (answer.kind === 'refused') throw await refusal(request, answer.response);
        const { socket } = answer;
        // The race is lost: nobody would ever end this connection.
        if (signal.aborted) socket.destroy();
        wire.raw.add(socket);
        socket.once('close', () => wire.raw.delete(socket));
        return socket;
      }),
    pinned: (version) => transportOver(wire, endpoint, `/v${version}`, clock),
    close: wire.close,
  };
}

/** The engine's own words on why not, also where it should have upgraded and did not. */
async function refusal(request: Pick<EngineRequest, 'action' | 'scope'>, response: IncomingMessage) {
  const status = response.statusCode ?? 0;
  if (status < 400) {
    response.destroy();
    return new HyperupError('EngineFailed', `${request.action}: HTTP ${status}, want an upgraded connection`, {
      hint: 'Something between here and the engine does not let raw connections through: connect to its own socket.',
    });
  }
  const message = await text(response).catch(() => '');
  return answerError(request.action, status, engineMessage(message), request.scope);
}

function limits(clock: Clock, request: Pick<EngineRequest, 'timeoutMs' | 'signal'>) {
  return {
    clock,
    timeoutMs: request.timeoutMs === null ? undefined : (request.timeoutMs ?? shortCallMs),
    signal: request.signal,
  };
}

function dial(
  modem: Dockerode['modem'],
  prefix: string,
  request: EngineRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { action, upload } = request;
    const cut = new AbortController();
    const onAbort = () => cut.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    let response: IncomingMessage | undefined;
    if (upload) {
      // A source that fails or is cut short must neither read as a whole archive nor leave the request waiting.
      finished(upload, { writable: false }, (cause) => {
        if (!cause) return;
        const error = uploadError(action, cause);
        reject(error);
        response?.destroy(error);
        cut.abort(error);
      });
    }
    modem.dial(
      {
        path: `${prefix}${request.path}?${queryString(request.query)}`,
        method: request.method,
        // An empty query object keeps docker-modem from deriving one; an empty body sends none.
        options: { _query: {}, _body: request.body ?? {} },
        ...(upload ? { file: pipeLent(upload) } : {}),
        ...(request.auth ? { authconfig: request.auth } : {}),
        isStream: true,
        abortSignal: cut.signal,
        statusCodes: everyStatus,
      },
      (error, result) => {
        if (result instanceof IncomingMessage) {
          response = result;
          resolve(result);
          result.once('close', () => signal.removeEventListener('abort', onAbort));
        } else {
          signal.removeEventListener('abort', onAbort);
          reject(error ?? new Error('the answer is not an HTTP response'));
        }
        if (!response || (response.statusCode ?? 0) >= 400) upload?.destroy();
      },
    );
  });
}

function uploadError(action: string, error: unknown): HyperupError {
  if (error instanceof HyperupError) return error;
  return new HyperupError('EngineFailed', `${action}: the archive that was being sent broke off: ${messageOf(error)}`, {
    cause: error,
  });
}

function queryString(query: EngineRequest['query']): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const item of value) params.append(key, item);
    else params.append(key, value === true ? '1' : value === false ? '0' : String(value));
  }
  return params.toString();
}

function parseBody(body: string): unknown {
  if (body.trim() === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function engineMessage(body: string): string {
  const parsed = parseBody(body);
  if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  return typeof parsed === 'string' ? parsed : '';
}
