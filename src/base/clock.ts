import { setTimeout as delay } from 'node:timers/promises';

/** Time, injected, so that tests neither sleep nor race. */
export interface Clock {
  /** Wall-clock milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only grow; for measuring durations. */
  monotonicMs(): number;
  /** Resolves after that many milliseconds; rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
};
