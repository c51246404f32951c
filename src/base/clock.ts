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
  // Not `performance.now()`, which counts the same: to load what belongs to that takes Node 4 ms.
  monotonicMs: () => process.uptime() * 1000,
  // Not of node:timers/promises: there each sleep that ends early costs an error with a stack, and most do.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal?.addEventListener('abort', stop, { once: true });
    }),
};
