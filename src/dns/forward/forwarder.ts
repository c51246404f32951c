import { HyperupError } from '../../base/errors.js';
import { rcodes } from '../wire/constants.js';
import { type AnswerCache, type CachedAnswer, keyOf } from './answer-cache.js';
import type { ForwardMetrics } from './forward-metrics.js';
import type { Question, UpstreamAnswer } from './types.js';
import { makeUpstreamQuery } from './upstream-message.js';
import type { UpstreamRace } from './upstream-race.js';

export interface Forwarded {
  readonly answer: UpstreamAnswer;
  readonly ageSeconds: number;
  /** Set on a stale answer: what its records say instead of their own time. */
  readonly fixedTtl: number | undefined;
}

export interface Forwarder {
  /** An answer that is still good, at once. */
  cached(question: Question): Forwarded | undefined;
  /** Asks resolvers. Throws what the race throws, `Conflict` where too much is under way, where no stale answer serves. */
  resolve(question: Question): Promise<Forwarded>;
}

export interface ForwarderOptions {
  readonly race: UpstreamRace;
  readonly cache: AnswerCache;
  readonly metrics: ForwardMetrics;
  /** Questions at once (CoreDNS' Corefile: 1000). */
  readonly maxConcurrent?: number | undefined;
  /** After so long a stale answer is given while resolvers are still asked (RFC 8767 5: 1.8 s). */
  readonly staleAfterMs?: number | undefined;
}

/** What a stale answer's records may be kept (RFC 8767 4). */
const staleTtl = 30;
/** Clients that wait for one question; more are in no order. */
const maxWaiting = 200;

/** Names outside of the cluster: from the cache, from resolvers, each question once at a time, and stale where they fail. */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const { race, cache, metrics, maxConcurrent = 1000, staleAfterMs = 1800 } = options;
  const running = new Map<string, { readonly answer: Promise<UpstreamAnswer>; waiting: number }>();

  function start(question: Question): Promise<UpstreamAnswer> {
    const key = keyOf(question);
    const known = running.get(key);
    if (known === undefined ? running.size >= maxConcurrent : known.waiting >= maxWaiting) {
      metrics.rejected();
      return Promise.reject(new HyperupError('Conflict', 'ask resolvers: too many questions at once'));
    }
    if (known !== undefined) {
      known.waiting += 1;
      return known.answer;
    }
    const answer = race
      .ask(makeUpstreamQuery(question))
      .then((got) => {
        cache.put(question, got);
        return got;
      })
      .finally(() => running.delete(key));
    running.set(key, { answer, waiting: 1 });
    return answer;
  }

  async function orStale(fresh: Promise<UpstreamAnswer>, kept: CachedAnswer): Promise<Forwarded> {
    const stale: Forwarded = { answer: kept.answer, ageSeconds: kept.ageSeconds, fixedTtl: staleTtl };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, staleAfterMs, undefined);
    });
    const got = await Promise.race([fresh.catch(() => undefined), late]);
    clearTimeout(timer);
    if (got !== undefined && (got.rcode === rcodes.noError || got.rcode === rcodes.nameError)) return asNew(got);
    metrics.servedStale();
    return stale;
  }

  return {
    cached(question) {
      const kept = cache.get(question);
      if (kept === undefined || kept.stale) return undefined;
      metrics.hit(kept.answer.rcode === rcodes.nameError || kept.answer.body.answers === 0);
      return { answer: kept.answer, ageSeconds: kept.ageSeconds, fixedTtl: undefined };
    },
    async resolve(question) {
      const kept = cache.get(question);
      metrics.miss();
      const fresh = start(question);
      return kept === undefined ? asNew(await fresh) : await orStale(fresh, kept);
    },
  };
}

function asNew(answer: UpstreamAnswer): Forwarded {
  return { answer, ageSeconds: 0, fixedTtl: undefined };
}
