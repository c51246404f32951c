import type { Clock } from '../../../src/base/clock.js';

/** A clock that stands still until it is advanced. */
export interface ManualClock extends Clock {
  /** Wakes the sleepers whose time has come, and lets what they do next happen. */
  advance(ms: number): Promise<void>;
  readonly waiting: number;
}

/** Starts at zero. */
export function makeManualClock(): ManualClock {
  let time = 0;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => time,
    monotonicMs: () => time,
    get waiting() {
      return sleepers.size;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { at: time + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(new Error('sleep was interrupted'));
        });
      }),
    async advance(ms) {
      time += ms;
      for (const sleeper of [...sleepers].sort((a, b) => a.at - b.at)) {
        if (sleeper.at > time) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    },
  };
}
