import { setTimeout as delay } from 'node:timers/promises';

/** What was held up by a busy machine is caught up on, or the rate would depend on the machine. */
const burstMs = 100;

/** Lets bytes through at a steady rate. */
export interface RateLimiter {
  /** Resolves when that many more may pass. */
  take(bytes: number): Promise<void>;
}

export function makeRateLimiter(bytesPerSecond: number): RateLimiter {
  let freeAtMs = performance.now();
  return {
    async take(bytes) {
      const now = performance.now();
      freeAtMs = Math.max(freeAtMs, now - burstMs) + (bytes * 1000) / bytesPerSecond;
      const waitMs = freeAtMs - now;
      if (waitMs > 1) await delay(waitMs);
    },
  };
}
