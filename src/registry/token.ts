import { amount, objectOf, readShape, word } from '../base/json-shape.js';
import { answerFailure, isWebPage, webPageError } from './answer-failure.js';
import type { BearerChallenge } from './challenge.js';
import { type Answer, type ExchangeRequest, exchange, type Limits } from './exchange.js';
import { readBytesWithin } from './read-document.js';
import { registryError } from './registry-error.js';
import type { RetryPolicy } from './retry.js';
import { withRetries } from './retry.js';
import type { Transport } from './transport.js';
import type { Credentials } from './types.js';

/** What a token server gave. */
export interface Token {
  readonly value: string;
  /** By the clock's `monotonicMs`. */
  readonly staleAtMs: number;
}

export interface TokenRequest {
  readonly challenge: BearerChallenge;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  /** The registry that the token is for, for messages. */
  readonly host: string;
  readonly signal?: AbortSignal | undefined;
}

const defaultLifeSeconds = 60;
const maxTokenBytes = 1024 * 1024;
const answer = objectOf({}, { token: word, access_token: word, expires_in: amount });

/**
 * Asks the challenge's realm for a token: by GET, with the user name and password where there are any, or by POST with
 * a refresh token. Rejects with `PermissionDenied` where it gives none, and as `exchange` does.
 * Source: distribution docs, "Token Authentication Specification" and "Oauth2 Token Authentication".
 */
export async function requestToken(
  transport: Transport,
  limits: Limits,
  policy: RetryPolicy,
  request: TokenRequest,
): Promise<Token> {
  const { host, signal } = request;
  const { realm } = request.challenge;
  const action = `get a token for ${host} from ${realm.host}`;
  return await withRetries(policy, action, signal, async () => {
    const askedAtMs = policy.clock.monotonicMs();
    const reply = await exchange(transport, { ...tokenExchange(request), host, action, signal }, limits);
    if (reply.status !== 200) throw await answerFailure(reply, { host, action, nowMs: policy.clock.now() });
    const parsed = readShape(answer, await json(reply, action, host, limits)).value;
    const value = parsed?.token ?? parsed?.access_token;
    if (value === undefined) {
      throw registryError('login', `${action}: its answer has no token in it`, { host, status: reply.status });
    }
    const lifeMs = (parsed?.expires_in || defaultLifeSeconds) * 1000;
    // A little early, for the way there.
    return { value, staleAtMs: askedAtMs + lifeMs - Math.min(5000, lifeMs / 4) };
  });
}

function tokenExchange({
  challenge,
  scopes,
  credentials,
}: TokenRequest): Pick<ExchangeRequest, 'method' | 'url' | 'headers' | 'body'> {
  const { realm, service } = challenge;
  if (credentials?.kind === 'identityToken') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: 'hyperup',
      ...(service === undefined ? {} : { service }),
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    });
    const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: Buffer.from(form.toString()) };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === undefined) return { method: 'GET', url, headers: { accept: 'application/json' } };
  url.searchParams.set('account', credentials.username);
  return {
    method: 'GET',
    url,
    headers: { accept: 'application/json', authorization: basicAuthorization(credentials) },
  };
}

async function json(reply: Answer, action: string, host: string, limits: Limits): Promise<unknown> {
  const late = () => registryError('timeout', `${action}: its answer is too slow`, { host });
  const bytes = await readBytesWithin(reply.body, maxTokenBytes, 4 * limits.silenceMs, late);
  if (isWebPage(reply, bytes)) throw webPageError(reply, bytes, { host, action });
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The header's value for a user name and password. */
export function basicAuthorization({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
