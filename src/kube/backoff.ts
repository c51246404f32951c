export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Growing waits. */
export interface Backoff {
  /** Doubles each time up to `maxMs`, plus up to as much again by chance, so that many clients don't come back at once. */
  nextMs(): number;
  /** How many waits since the last reset. */
  attempts(): number;
  reset(): void;
}

/** An exponential back-off with jitter; holds no timer. */
export function createBackoff(options: BackoffOptions): Backoff {
  let attempts = 0;
  return {
    nextMs() {
      const base = Math.min(options.initialMs * 2 ** attempts, options.maxMs);
      attempts += 1;
      return Math.round(base * (1 + options.random()));
    },
    attempts: () => attempts,
    reset() {
      attempts = 0;
    },
  };
}
