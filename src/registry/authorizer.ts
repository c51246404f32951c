import { awaitUnless } from './await-unless.js';
import { type BearerChallenge, bearerChallenge, parseChallenges } from './challenge.js';
import { isLoopbackHost } from './proxy-choice.js';
import { mergeScopes } from './scopes.js';
import { basicAuthorization, type Token, type TokenRequest } from './token.js';
import type { Credentials } from './types.js';

export interface AuthorizerOptions {
  /** As references say it. */
  readonly host: string;
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly requestToken: (request: TokenRequest) => Promise<Token>;
  readonly monotonicMs: () => number;
}

/** Finds the `Authorization` that one registry wants. Tokens are kept by scope and asked for once, however many wait. */
export interface Authorizer {
  /** What to send with a request at once; undefined where nothing has been asked for yet. */
  current(scopes: readonly string[], signal?: AbortSignal | undefined): Promise<string | undefined>;
  /** What to send again after a 401 that `refused` got; undefined where there is nothing better. */
  answer(refusal: Refusal, scopes: readonly string[], signal?: AbortSignal | undefined): Promise<string | undefined>;
}

/** A 401. */
export interface Refusal {
  /** `WWW-Authenticate`. */
  readonly challenges: string;
  /** Who wants it. */
  readonly registry: URL;
  /** The `Authorization` that wasn't enough; undefined: none was sent. */
  readonly refused: string | undefined;
}

interface Demand {
  readonly challenge: BearerChallenge;
  readonly registry: URL;
}

interface Kept {
  readonly scopes: readonly string[];
  readonly promise: Promise<Token>;
  /** Undefined while it is on its way. */
  token: Token | undefined;
}

/** `Authorization` for one registry; see `Authorizer`. Rejects as token servers and credential stores do. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const tokens = new Map<string, Kept>();
  const action = `log in to ${options.host}`;
  let demand: Demand | undefined;
  let basic: string | undefined;
  let found: Promise<Credentials | undefined> | undefined;

  const credentialsFor = async (registry: URL, realm: URL) => {
    found ??= options.credentials();
    const credentials = await found;
    // A registry under TLS has no business in having them sent in the clear.
    const downgraded = registry.protocol === 'https:' && realm.protocol === 'http:' && !isLoopbackHost(realm.hostname);
    return downgraded ? undefined : credentials;
  };

  const fetchToken = ({ challenge, registry }: Demand, key: string, scopes: readonly string[]): Promise<Token> => {
    const promise = credentialsFor(registry, challenge.realm).then((credentials) =>
      options.requestToken({ challenge, scopes, credentials, host: options.host }),
    );
    const kept: Kept = { scopes, promise, token: undefined };
    tokens.set(key, kept);
    promise.then(
      (token) => {
        kept.token = token;
      },
      () => {
        if (tokens.get(key) === kept) tokens.delete(key);
      },
    );
    return promise;
  };

  /** A token other than the one that was refused; decides without a pause, so that only one is asked for. */
  const tokenFor = (wanted: Demand, scopes: readonly string[], refused: string | undefined): Promise<Token> => {
    const key = scopes.join(' ');
    const kept = tokens.get(key);
    if (kept !== undefined && kept.token === undefined) return kept.promise;
    const fresh = kept?.token !== undefined && kept.token.staleAtMs > options.monotonicMs();
    if (kept !== undefined && fresh && `Bearer ${kept.token?.value}` !== refused) return kept.promise;
    const theirs = wanted.challenge.scopes.length > 0 ? wanted.challenge.scopes : (kept?.scopes ?? []);
    return fetchToken(wanted, key, mergeScopes(scopes, theirs));
  };

  return {
    async current(scopes, signal) {
      if (basic !== undefined || demand === undefined) return basic;
      // Its scopes were another request's.
      const wanted = { ...demand, challenge: { ...demand.challenge, scopes: [] } };
      const token = await awaitUnless(signal, action, tokenFor(wanted, scopes, undefined));
      return `Bearer ${token.value}`;
    },
    async answer({ challenges: header, registry, refused }, scopes, signal) {
      const challenges = parseChallenges(header);
      const challenge = bearerChallenge(challenges);
      if (challenge !== undefined) {
        demand = { challenge, registry };
        return `Bearer ${(await awaitUnless(signal, action, tokenFor(demand, scopes, refused))).value}`;
      }
      if (!challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
      const credentials = await awaitUnless(signal, action, credentialsFor(registry, registry));
      if (credentials?.kind !== 'basic') return undefined;
      basic = basicAuthorization(credentials);
      return basic === refused ? undefined : basic;
    },
  };
}
