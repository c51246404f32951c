import type { Clock } from '../../../src/base/clock.js';

export interface ManualClock extends Clock {
  /** Moves time and wakes who slept until then. */
  advance(ms: number): void;
  /** How long each sleep that was ever asked for was to be. */
  readonly sleeps: readonly number[];
  /** Resolves when that many sleeps were asked for in all. */
  slept(count: number): Promise<void>;
}

/** A clock that moves only when told to. */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let elapsed = 0;
  const sleeps: number[] = [];
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const watchers = new Set<{ count: number; wake: () => void }>();
  return {
    now: () => startMs + elapsed,
    monotonicMs: () => elapsed,
    sleeps,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        sleeps.push(ms);
        for (const watcher of watchers) if (sleeps.length >= watcher.count) watcher.wake();
        const sleeper = { at: elapsed + ms, wake: resolve };
        if (ms <= 0) resolve();
        else if (signal?.aborted) reject(signal.reason);
        else sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
    advance(ms) {
      elapsed += ms;
      for (const sleeper of sleepers) {
        if (sleeper.at > elapsed) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    async slept(count) {
      if (sleeps.length >= count) return;
      await new Promise<void>((resolve) => watchers.add({ count, wake: resolve }));
    },
  };
}
