import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { PodUid } from '../types.js';

const dayMs = 24 * 60 * 60_000;
const maxJitterMs = 10_000;
const defaultExpirationSeconds = 3600;
const requestTimeoutMs = 30_000;
/** Between tries to renew a token that is still good. */
const retryMs = 15_000;

export interface TokenSource {
  readonly audience?: string;
  readonly expirationSeconds?: number;
}

/** Tokens of service accounts, bound to pods and renewed before they end. */
export interface Tokens {
  /**
   * The token as it is good now: a new one when the old one is past 80 % of its life or a day old; the old one as long
   * as it is good and a new one can't be had. Throws `ApiFailed` where there is none.
   */
  get(pod: V1Pod, uid: PodUid, source: TokenSource): Promise<string>;
  /** When the first token is to be renewed; undefined where there are none. */
  nextDueMs(): number | undefined;
  /** The pods with tokens to be renewed now. */
  duePods(): readonly PodUid[];
  forget(uid: PodUid): void;
}

interface Token {
  readonly uid: PodUid;
  readonly text: string;
  readonly expiresAtMs: number;
  dueAtMs: number;
}

/** Holds its tokens in memory alone (v1.20 `pkg/kubelet/token/token_manager.go`). */
export function createTokens(options: {
  readonly client: Pick<KubeClient, 'createToken'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}): Tokens {
  const { client, clock, random, logger } = options;
  const tokens = new Map<string, Token>();
  const requests = new Map<string, Promise<string>>();

  async function request(key: string, pod: V1Pod, uid: PodUid, source: TokenSource): Promise<string> {
    const namespace = pod.metadata?.namespace ?? 'default';
    const startedMs = clock.now();
    const answer = await client.createToken(
      { namespace, name: pod.spec?.serviceAccountName || 'default' },
      {
        audiences: source.audience ? [source.audience] : undefined,
        expirationSeconds: source.expirationSeconds ?? defaultExpirationSeconds,
        boundPod: { name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' },
      },
      { timeoutMs: requestTimeoutMs },
    );
    const parsed = Date.parse(answer.expirationTimestamp);
    const expiresAtMs = Number.isNaN(parsed) ? startedMs + defaultExpirationSeconds * 1000 : parsed;
    const lifeMs = Math.max(0, expiresAtMs - startedMs);
    // A short life must leave the token some time between its renewals.
    const jitterMs = random() * Math.min(maxJitterMs, lifeMs * 0.1);
    tokens.set(key, {
      uid,
      text: answer.token,
      expiresAtMs,
      dueAtMs: startedMs + Math.min(lifeMs * 0.8, dayMs) - jitterMs,
    });
    return answer.token;
  }

  async function renew(key: string, pod: V1Pod, uid: PodUid, source: TokenSource): Promise<string> {
    const old = tokens.get(key);
    try {
      return await request(key, pod, uid, source);
    } catch (error) {
      if (old && clock.now() < old.expiresAtMs) {
        old.dueAtMs = clock.now() + retryMs;
        logger.warn('a service account token could not be renewed; the old one is still good', {
          podUID: uid,
          err: messageOf(error),
        });
        return old.text;
      }
      tokens.delete(key);
      throw new HyperupError('ApiFailed', `failed to fetch token: ${messageOf(error)}`, { cause: error });
    }
  }

  return {
    get(pod, uid, source) {
      const key = JSON.stringify([
        uid,
        pod.metadata?.uid,
        pod.spec?.serviceAccountName,
        source.audience,
        source.expirationSeconds,
      ]);
      const known = tokens.get(key);
      if (known && clock.now() < known.dueAtMs) return Promise.resolve(known.text);
      const running = requests.get(key) ?? renew(key, pod, uid, source).finally(() => requests.delete(key));
      requests.set(key, running);
      return running;
    },
    nextDueMs() {
      let next: number | undefined;
      for (const { dueAtMs } of tokens.values()) if (next === undefined || dueAtMs < next) next = dueAtMs;
      return next;
    },
    duePods() {
      const now = clock.now();
      return [...new Set([...tokens.values()].filter((token) => token.dueAtMs <= now).map((token) => token.uid))];
    },
    forget(uid) {
      for (const [key, token] of tokens) if (token.uid === uid) tokens.delete(key);
    },
  };
}
