import type { Clock } from '../../../src/base/clock.js';

/** A clock that stands still until it is advanced. */
export interface ManualClock extends Clock {
  /** Sleepers whose time has come wake in order; what they do next happens in later microtasks. */
  advance(ms: number): void;
  /** How many sleep. */
  readonly waiting: number;
}

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
        const sleeper = {
          at: time + ms,
          wake: () => {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason as Error);
        });
      }),
    advance(ms) {
      time += ms;
      for (const sleeper of [...sleepers].sort((a, b) => a.at - b.at)) if (sleeper.at <= time) sleeper.wake();
    },
  };
}
