/** Waits that double, without chance, for what is asked again within one pod. */
export interface RetryDelay {
  nextMs(): number;
  reset(): void;
}

export function createRetryDelay({ firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number }): RetryDelay {
  let delayMs = firstMs;
  return {
    nextMs() {
      const now = delayMs;
      delayMs = Math.min(delayMs * 2, maxMs);
      return now;
    },
    reset() {
      delayMs = firstMs;
    },
  };
}
