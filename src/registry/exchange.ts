import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { errnoOf, HyperupError, isHyperupError } from '../base/errors.js';
import { certificateIssuer } from './certificate-issuer.js';
import { directGet } from './direct-get.js';
import { directSend } from './direct-send.js';
import { networkFailure } from './network-failure.js';
import type { PlainClient } from './plain-http.js';
import { drain } from './read-document.js';
import { registryError } from './registry-error.js';
import type { Route, Transport } from './transport.js';
import { createWatchdog, type Watchdog, watchedBody } from './watched-body.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface ExchangeRequest {
  readonly method: Method;
  readonly url: URL;
  /** Names in lower case. `authorization` goes to the URL's own origin alone. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | Readable | undefined;
  /** How the registry is called in messages. */
  readonly host: string;
  /** What is being done, for messages: `get manifest a/b:v1 from HOST`. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
  /** How long the answer may take once all is sent, where it isn't the limit on silence; milliseconds. */
  readonly answerMs?: number | undefined;
  /** How long the answer's body will be about, bytes, where that is known. */
  readonly expectedBytes?: number | undefined;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; values of a name that came several times are joined. */
  readonly headers: ReadonlyMap<string, string>;
  /** To be read to its end or destroyed; fails with a HyperupError. Its chunks may be lent, see `base/block-pool`. */
  readonly body: Readable;
  /** Who answered, after redirects. */
  readonly url: URL;
}

export interface Limits {
  readonly connectTimeoutMs: number;
  readonly silenceMs: number;
}

const maxRedirects = 10;
/** Fewer pauses and resumptions of the socket than with the default of 64 KiB. */
const bodyBufferBytes = 512 * 1024;
/** From here on a connection of its own, read block by block, is worth it. */
const directBytes = 1024 * 1024;

/**
 * One request and its answer, whatever the status. Redirects of GET and HEAD are followed, without credentials where
 * they lead to another origin. An answer's headers have the connection's and silence's limit; its body the latter,
 * which a slow reader doesn't use up. Errors name the host that failed: `RegistryFailed`, `Timeout`, `Aborted`,
 * `InvalidConfig` (certificates, proxy).
 */
export async function exchange(transport: Transport, request: ExchangeRequest, limits: Limits): Promise<Answer> {
  const follows = request.method === 'GET' || request.method === 'HEAD';
  let url = request.url;
  for (let hop = 0; ; hop += 1) {
    const answer = await exchangeOnce(transport, request, url, limits);
    const location = answer.headers.get('location');
    if (!follows || !isRedirect(answer.status) || location === undefined) return answer;
    await drain(answer.body);
    if (hop === maxRedirects) {
      throw registryError('notRegistry', `${request.action}: ${url.host} redirects more than ${maxRedirects} times`, {
        host: request.host,
        status: answer.status,
      });
    }
    url = redirectTarget(location, url, request);
  }
}

async function exchangeOnce(transport: Transport, request: ExchangeRequest, url: URL, limits: Limits): Promise<Answer> {
  const { signal, body } = request;
  const controller = new AbortController();
  const stop = () =>
    controller.abort(new HyperupError('Aborted', `${request.action}: interrupted`, { cause: signal?.reason }));
  if (signal?.aborted) stop();
  else if (signal) {
    // A download of many ranges hangs on one signal.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', stop, { once: true });
  }
  const release = () => signal?.removeEventListener('abort', stop);
  const limitMs = limits.connectTimeoutMs + (request.answerMs ?? limits.silenceMs);
  const watchdog = createWatchdog(limitMs, () => controller.abort(new HyperupError('Timeout', 'no answer in time')));
  let route: Route | undefined;
  try {
    route = await transport.route(url);
    const sending: Sending = { request, url, limits, signal: controller.signal, watchdog };
    const response =
      route.kind === 'plain' ? await sendPlainly(route.client, sending) : await dispatch(route.dispatcher, sending);
    response.body.once('close', release);
    translateErrors(response.body, (error) => bodyError(error, request, url, limits));
    return { status: response.statusCode, headers: headerMap(response.headers), body: response.body, url };
  } catch (error) {
    release();
    if (body instanceof Readable) body.destroy();
    const cause: unknown = controller.signal.aborted ? controller.signal.reason : error;
    throw await explain(cause, request, url, limits, route?.proxy, limitMs);
  } finally {
    watchdog.stop();
  }
}

interface Sending {
  readonly request: ExchangeRequest;
  readonly url: URL;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly watchdog: Watchdog;
}

async function dispatch(
  dispatcher: Dispatcher,
  { request, url, limits, signal, watchdog }: Sending,
): Promise<Dispatcher.ResponseData> {
  const { body } = request;
  return await dispatcher.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: { ...headersFor(request, url), ...lengthOf(request) },
    body: body instanceof Readable ? Readable.from(watchedBody(body, watchdog), { objectMode: false }) : (body ?? null),
    signal,
    // Else a connection ends with each HEAD.
    reset: false,
    headersTimeout: 0,
    bodyTimeout: limits.silenceMs,
    highWaterMark: bodyBufferBytes,
  });
}

/** Where nothing is between here and the registry: long bodies have connections of their own. */
async function sendPlainly(client: PlainClient, { request, url, limits, signal, watchdog }: Sending) {
  const { method, body, expectedBytes = 0 } = request;
  const headers = { ...headersFor(request, url), ...lengthOf(request) };
  const { connectTimeoutMs, silenceMs } = limits;
  if (body instanceof Readable) {
    return await directSend({ method, url, headers, body, signal, connectTimeoutMs, watchdog, silenceMs });
  }
  const direct =
    method === 'GET' && expectedBytes >= directBytes
      ? await directGet({ url, headers, signal, connectTimeoutMs, silenceMs })
      : undefined;
  return direct ?? (await client.request({ method, url, headers, body, signal, silenceMs }));
}

/** Gives what a stream fails with another form, without a second stream that every byte would pass through. */
function translateErrors(body: Readable, translate: (error: Error) => Error): void {
  const destroy = body._destroy.bind(body);
  body._destroy = (error, done) => {
    // Given up by its reader: not an error.
    if (error === null) destroy(null, () => done(null));
    else destroy(error, (after) => done(after ? translate(after) : null));
  };
}

function bodyError(error: Error, request: ExchangeRequest, url: URL, limits: Limits): HyperupError {
  if (isHyperupError(error)) return error;
  if (isClosed(error)) return closedError(request.action);
  const failure = networkFailure(error, { host: url.host, timeoutMs: limits.silenceMs });
  const message =
    failure.kind === 'timeout' ? `${url.host} sent nothing for ${limits.silenceMs / 1000} s` : failure.reason;
  return registryError(failure.kind, `${request.action}: ${message}`, {
    host: request.host,
    errno: failure.errno,
    cause: error,
  });
}

async function explain(
  cause: unknown,
  request: ExchangeRequest,
  url: URL,
  limits: Limits,
  proxy: URL | undefined,
  timeoutMs: number,
): Promise<HyperupError> {
  if (isHyperupError(cause) && cause.code !== 'Timeout') return cause;
  if (isClosed(cause)) return closedError(request.action);
  const context = { host: url.host, timeoutMs, proxy };
  let failure = networkFailure(cause, context);
  if (failure.kind === 'tls' && proxy === undefined) {
    failure = networkFailure(cause, {
      ...context,
      certificate: await certificateIssuer(url.host, limits.connectTimeoutMs),
    });
  }
  const via = url.host === request.url.host ? '' : `${request.url.host} sends on to ${url.host}: `;
  return registryError(failure.kind, `${request.action}: ${via}${failure.reason}`, {
    host: request.host,
    errno: failure.errno,
    cause,
    hint: hints[failure.kind],
  });
}

/** The connections were ended by their owner. */
function isClosed(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED';
}

export function closedError(action: string): HyperupError {
  return new HyperupError('Aborted', `${action}: the client is closed`);
}

const hints: Partial<Record<string, string>> = {
  dns: "Check the name and this machine's DNS, or use a mirror.",
  tls: 'Something between here and the registry may answer in its place; where it is yours, give its CA certificate.',
  proxy: 'Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY.',
};

function headersFor(request: ExchangeRequest, url: URL): Record<string, string> {
  // What is stored compressed is what digests are of.
  const headers: Record<string, string> = {
    'user-agent': 'hyperup',
    'accept-encoding': 'identity',
    ...request.headers,
  };
  if (url.origin !== request.url.origin) delete headers['authorization'];
  return headers;
}

function lengthOf({ body }: ExchangeRequest): Record<string, string> {
  return Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {};
}

function headerMap(headers: Readonly<Record<string, string | string[] | undefined>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function redirectTarget(location: string, from: URL, request: ExchangeRequest): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target?.protocol === 'https:' || target?.protocol === 'http:') return target;
  throw registryError(
    'broken',
    `${request.action}: ${from.host} redirects to "${location.slice(0, 200)}", want a URL`,
    {
      host: request.host,
    },
  );
}
