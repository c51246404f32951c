import type { Clock } from '../../base/clock.js';
import { rcodes } from '../wire/constants.js';
import type { Question, UpstreamAnswer } from './types.js';

export interface CachedAnswer {
  readonly answer: UpstreamAnswer;
  readonly ageSeconds: number;
  /** Its time is over: only for want of a better one. */
  readonly stale: boolean;
}

export interface AnswerCache {
  get(question: Question): CachedAnswer | undefined;
  put(question: Question, answer: UpstreamAnswer): void;
  count(): { readonly success: number; readonly denial: number };
}

export interface AnswerCacheOptions {
  readonly clock: Clock;
  /** Answers at most; 0 keeps none. */
  readonly capacity: number;
  /** How long after its time an answer may still serve where no resolver answers (RFC 8767). */
  readonly staleSeconds: number;
}

interface Entry {
  readonly answer: UpstreamAnswer;
  readonly storedMs: number;
}

/** Bytes of all bodies together; long answers must not fill the memory. */
const maxBytes = 8 * 1024 * 1024;

/** Resolvers' answers for as long as they may be kept, and stale ones behind that. What was longest unused goes first. */
export function createAnswerCache({ clock, capacity, staleSeconds }: AnswerCacheOptions): AnswerCache {
  /** In the order of use. */
  const entries = new Map<string, Entry>();
  let bytes = 0;

  function drop(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    bytes -= entry.answer.body.bytes.length;
    entries.delete(key);
  }

  return {
    get(question) {
      const key = keyOf(question);
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const ageSeconds = Math.floor((clock.monotonicMs() - entry.storedMs) / 1000);
      if (ageSeconds >= entry.answer.ttl + staleSeconds) {
        drop(key);
        return undefined;
      }
      entries.delete(key);
      entries.set(key, entry);
      return { answer: entry.answer, ageSeconds, stale: ageSeconds >= entry.answer.ttl };
    },
    put(question, answer) {
      if (answer.ttl <= 0 || capacity <= 0) return;
      const key = keyOf(question);
      drop(key);
      entries.set(key, { answer, storedMs: clock.monotonicMs() });
      bytes += answer.body.bytes.length;
      for (const oldest of entries.keys()) {
        if (entries.size <= capacity && bytes <= maxBytes) break;
        drop(oldest);
      }
    },
    count() {
      let denial = 0;
      for (const { answer } of entries.values()) {
        if (answer.rcode === rcodes.nameError || answer.body.answers === 0) denial += 1;
      }
      return { success: entries.size - denial, denial };
    },
  };
}

/** What makes two questions one: DNSSEC's flags change the answer. */
export function keyOf(question: Question): string {
  const flags = (question.dnssecOk ? 1 : 0) | (question.checkingDisabled ? 2 : 0);
  return `${question.type}/${question.class}/${flags}/${question.key}`;
}
