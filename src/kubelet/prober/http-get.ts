import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect, type NetConnectOpts } from 'node:net';
import { HyperupError } from '../../base/errors.js';
import { joinHostPort, networkErrorText } from './go-errors.js';
import { outputLimitBytes } from './probe-outcome.js';

export interface HttpGetRequest {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With its query; a slash before it is added where it lacks. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** For all of it, redirects and body. Undefined: until the signal. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A redirect to another host name is the answer otherwise. */
  readonly followOtherHosts: boolean;
}

export interface HttpGetAnswer {
  readonly status: number;
  /** Its first 10 KiB. */
  readonly body: string;
}

interface Target {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

interface RawAnswer extends HttpGetAnswer {
  readonly location: string | undefined;
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 10;

/**
 * GETs as Go's client does: a connection of its own, certificates unverified, up to ten redirects, `Accept` and no
 * encodings. Throws with Go's words: `Timeout`, `Aborted`, `Unhealthy` (v1.20 `pkg/probe/http/http.go`).
 */
export async function httpGet(request: HttpGetRequest): Promise<HttpGetAnswer> {
  const end = startEnd(request.timeoutMs, request.signal);
  try {
    return await follow(request, end);
  } finally {
    end.clear();
  }
}

async function follow(request: HttpGetRequest, end: End): Promise<HttpGetAnswer> {
  let target: Target = { ...request, path: requestPath(request.path) };
  let { headers } = request;
  for (let count = 0; ; count += 1) {
    // Of a probe that succeeds nobody needs it.
    const url = () => urlOf(target);
    if (count >= maxRedirects) {
      throw new HyperupError('Unhealthy', `Get "${url()}": stopped after ${maxRedirects} redirects`);
    }
    let answer: RawAnswer;
    try {
      answer = await getOnce(target, headers, end);
    } catch (error) {
      if (request.signal?.aborted) {
        throw new HyperupError('Aborted', `Get "${url()}": interrupted`, { cause: request.signal.reason });
      }
      if (end.isOver()) {
        const why = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
        throw new HyperupError('Timeout', `Get "${url()}": ${why}`);
      }
      throw new HyperupError('Unhealthy', `Get "${url()}": ${networkErrorText(error, target.host, target.port)}`, {
        cause: error,
      });
    }
    const next = redirects.has(answer.status) ? redirectTarget(url(), answer.location) : undefined;
    if (!next || (!request.followOtherHosts && next.host !== target.host)) return answer;
    // A name given for the first host isn't that of another.
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(answer.location ?? '')) headers = without(headers, 'host');
    target = next;
  }
}

const connectPlain = (options: object) => connect(options as NetConnectOpts);

/** The time limit and the caller's signal in one. */
interface End {
  isOver(): boolean;
  /** What is to be done when it comes; only the newest is. */
  onOver: (() => void) | undefined;
  clear(): void;
}

/** A timer and a listener: signals made and combined for each of many probes a second are a third of a probe's cost. */
function startEnd(timeoutMs: number | undefined, signal: AbortSignal | undefined): End {
  let over = signal?.aborted === true;
  const fire = () => {
    over = true;
    end.onOver?.();
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(fire, timeoutMs);
  signal?.addEventListener('abort', fire, { once: true });
  const end: End = {
    isOver: () => over,
    onOver: undefined,
    clear() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', fire);
      end.onOver = undefined;
    },
  };
  return end;
}

function getOnce(target: Target, headers: HttpGetRequest['headers'], end: End): Promise<RawAnswer> {
  const { scheme, host, port, path } = target;
  return new Promise((resolve, reject) => {
    if (end.isOver()) {
      reject(new Error('it is over'));
      return;
    }
    const send = scheme === 'https' ? requestHttps : requestHttp;
    const request = send({
      host,
      port,
      path,
      // Probes ask whether it answers, not who it is; containers have certificates of their own.
      // An agent of its own for each request, as `agent: false` means, costs as much as the request's making.
      ...(scheme === 'https' ? { agent: false, rejectUnauthorized: false } : { createConnection: connectPlain }),
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
      ),
      maxHeaderSize: 1024 * 1024,
    });
    end.onOver = () => request.destroy(new Error('it is over'));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = () => {
        const body = Buffer.concat(chunks).toString('utf8', 0, outputLimitBytes);
        resolve({ status: response.statusCode ?? 0, body, location: response.headers.location });
        request.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= outputLimitBytes) finish();
      });
      response.on('end', finish);
      response.on('error', reject);
    });
    request.end();
  });
}

/** Undefined where there is nowhere to go: the redirect is the answer then. */
function redirectTarget(from: string, location: string | undefined): Target | undefined {
  if (location === undefined || location === '' || !URL.canParse(location, from)) return undefined;
  const { protocol, hostname, port, pathname, search } = new URL(location, from);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const scheme = protocol === 'https:' ? 'https' : 'http';
  return {
    scheme,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    path: `${pathname}${search}`,
  };
}

function urlOf({ scheme, host, port, path }: Target): string {
  return `${scheme}://${joinHostPort(host, port)}${path}`;
}

/** What is sent of a probe's path: without a scheme, host or fragment it may have, and what a request line can't hold escaped. */
function requestPath(path: string): string {
  const plain = path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/#.*$/s, '');
  const escaped = plain.replace(/[^\x21-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  return escaped.startsWith('/') ? escaped : `/${escaped}`;
}

function without(headers: HttpGetRequest['headers'], name: string): HttpGetRequest['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([key]) => key.toLowerCase() !== name));
}

/**
 * The headers of a probe or hook: those of its list (one name more than once is sent so), a `User-Agent` and `Accept`
 * where it says nothing of them; where it says they are empty they aren't sent.
 */
export function requestHeaders(
  list: readonly { readonly name: string; readonly value: string }[],
  userAgent: string,
): Record<string, string | string[]> {
  const headers = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (const { name, value } of list) {
    const key = name.toLowerCase();
    const entry = headers.get(key) ?? { name, values: [] };
    // One connection has one host.
    if (key === 'host' && entry.values.length > 0) continue;
    entry.values.push(value);
    headers.set(key, entry);
  }
  for (const [name, value] of [
    ['User-Agent', userAgent],
    ['Accept', '*/*'],
  ] as const) {
    const own = headers.get(name.toLowerCase());
    if (!own) headers.set(name.toLowerCase(), { name, values: [value] });
    else if (own.values[0] === '') headers.delete(name.toLowerCase());
  }
  const host = headers.get('host');
  if (host?.values[0] === '') headers.delete('host');
  return Object.fromEntries(
    [...headers.values()].map(({ name, values }) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}
