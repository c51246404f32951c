import type { Clock } from '../base/clock.js';

const burst = 25;
const refillMs = 300_000;
const remembered = 4096;

/** A token bucket an object: 25 at once, then one every five minutes (client-go v0.20 `events_cache.go`). */
export function createSpamFilter(clock: Pick<Clock, 'monotonicMs'>): (object: string) => boolean {
  const buckets = new Map<string, { tokens: number; sinceMs: number }>();
  return (object) => {
    const nowMs = clock.monotonicMs();
    const bucket = buckets.get(object) ?? { tokens: burst, sinceMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.sinceMs) / refillMs);
    buckets.delete(object);
    buckets.set(object, { tokens: tokens >= 1 ? tokens - 1 : tokens, sinceMs: nowMs });
    const [oldest] = buckets.keys();
    if (buckets.size > remembered && oldest !== undefined) buckets.delete(oldest);
    return tokens >= 1;
  };
}
