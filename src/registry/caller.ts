import type { Readable } from 'node:stream';
import { answerFailure, webPageError } from './answer-failure.js';
import { createAuthorizer } from './authorizer.js';
import { awaitUnless } from './await-unless.js';
import { type Answer, exchange, type Limits, type Method } from './exchange.js';
import { findOrigin } from './find-origin.js';
import { parseRateLimit, type RateLimit } from './rate-limit.js';
import { drain, readBytes } from './read-document.js';
import { failureKindOf } from './registry-error.js';
import { type RetryPolicy, withRetries } from './retry.js';
import { requestToken } from './token.js';
import type { Transport } from './transport.js';
import type { CredentialStore } from './types.js';

/** A request to one registry. */
export interface Call {
  readonly method: Method;
  /** Below the registry's origin, such as `/v2/`; or a URL that the registry gave. */
  readonly target: string | URL;
  /** What is being done, for messages: `get manifest a/b:v1 from HOST`. */
  readonly action: string;
  /** What a token must allow. */
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A stream is sent once only, so it is neither tried again nor sent after a login. */
  readonly body?: Buffer | Readable | undefined;
  /** Tried again only where the registry refused to look at it; of other tries it isn't known what came of them. */
  readonly once?: boolean | undefined;
  /** Statuses that aren't failures. */
  readonly accept: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** Takes a 401 for an answer, where whether there is a registry is all that is asked. */
  readonly withoutLogin?: boolean | undefined;
  /** See `ExchangeRequest.answerMs`. */
  readonly answerMs?: number | undefined;
  /** See `ExchangeRequest.expectedBytes`. */
  readonly expectedBytes?: number | undefined;
}

/** Requests to one registry with its login, its limits and its patience. */
export interface Caller {
  readonly host: string;
  readonly limits: Limits;
  /** Where the registry's API is. */
  origin(signal?: AbortSignal | undefined): Promise<URL>;
  /** An answer whose status is accepted; its body is the caller's to read or destroy. Rejects with a HyperupError. */
  call(call: Call): Promise<Answer>;
}

export interface CallerOptions {
  readonly host: string;
  readonly scheme?: 'http' | 'https' | undefined;
  readonly isInsecure: () => boolean | Promise<boolean>;
  readonly transport: Transport;
  readonly limits: Limits;
  readonly retry: RetryPolicy;
  readonly credentials: CredentialStore;
  readonly onRateLimit?: ((host: string, limit: RateLimit) => void) | undefined;
  /** Ends what is shared among callers. */
  readonly closed: AbortSignal;
}

/** Calls to one registry. Docker Hub's API is found at `registry-1.docker.io`. */
export function createCaller(options: CallerOptions): Caller {
  const { host, transport, limits, retry, closed } = options;
  const authorizer = createAuthorizer({
    host,
    credentials: () => options.credentials.find(host),
    requestToken: (request) => requestToken(transport, limits, retry, { ...request, signal: closed }),
    monotonicMs: () => retry.clock.monotonicMs(),
  });
  let finding: Promise<URL> | undefined;

  const origin = (signal: AbortSignal | undefined): Promise<URL> => {
    if (finding === undefined) {
      const work = findOrigin({ ...options, signal: closed });
      finding = work;
      work.catch(() => {
        finding = undefined;
      });
    }
    return awaitUnless(signal, `ask ${host}`, finding);
  };

  const send = async (call: Call, authorization: string | undefined, url: URL, base: URL): Promise<Answer> => {
    const mine = url.origin === base.origin && authorization !== undefined;
    const { method, action, body, signal, answerMs, expectedBytes } = call;
    const headers = { ...call.headers, ...(mine ? { authorization } : {}) };
    const request = { method, url, headers, body, host, action, signal, answerMs, expectedBytes };
    return await exchange(transport, request, limits);
  };

  const attempt = async (call: Call): Promise<Answer> => {
    const { scopes, signal, body } = call;
    const base = await origin(signal);
    const url = typeof call.target === 'string' ? new URL(call.target, base) : call.target;
    const used = await authorizer.current(scopes, signal);
    let answer = await send(call, used, url, base);
    if (answer.status === 401 && call.withoutLogin !== true && answer.url.origin === base.origin) {
      const refusal = { challenges: answer.headers.get('www-authenticate') ?? '', registry: base, refused: used };
      const better = await authorizer.answer(refusal, scopes, signal).catch(async (error: unknown) => {
        await drain(answer.body);
        throw error;
      });
      if (better !== undefined && (body === undefined || Buffer.isBuffer(body))) {
        await drain(answer.body);
        answer = await send(call, better, url, base);
      }
    }
    const rateLimit = parseRateLimit(answer.headers);
    if (rateLimit !== undefined) options.onRateLimit?.(host, rateLimit);
    return answer;
  };

  return {
    host,
    limits,
    origin,
    async call(call) {
      const { action } = call;
      const once = async () => {
        const answer = await attempt(call);
        const { body } = answer;
        if (call.accept.includes(answer.status)) {
          if (!isPage(answer)) return answer;
          throw webPageError(answer, await readBytes(body, 64 * 1024).catch(() => Buffer.alloc(0)), { host, action });
        }
        throw await answerFailure(answer, { host, action, nowMs: retry.clock.now() });
      };
      const isStream = call.body !== undefined && !Buffer.isBuffer(call.body);
      const policy = isStream ? { ...retry, retries: 0 } : retry;
      const mayRepeat = (error: unknown) => call.once !== true || failureKindOf(error) === 'rateLimited';
      return await withRetries(policy, action, call.signal, once, mayRepeat);
    },
  };
}

function isPage(answer: Answer): boolean {
  return (answer.status < 300 || answer.status === 401) && /text\/html/i.test(answer.headers.get('content-type') ?? '');
}
