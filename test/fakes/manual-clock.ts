import type { Clock } from '../../src/base/clock.js';

/** A clock that stands still until it is advanced. */
export interface ManualClock extends Clock {
  /** Wakes the sleepers whose time has come, in order; what they do next happens in later microtasks. */
  advance(ms: number): void;
  /** Advances, and lets what the woken do next happen. */
  advanceAndRun(ms: number): Promise<void>;
  /** Sets the wall clock forward or back, as an administrator or NTP does; wakes nobody. */
  setWall(byMs: number): void;
  /** How many sleep now. */
  readonly waiting: number;
  /** How long each sleep that was ever asked for was to be. */
  readonly sleeps: readonly number[];
  /** Resolves when that many sleeps were asked for in all. */
  slept(count: number): Promise<void>;
}

/** `startMs` is the wall clock's first moment; the monotonic one starts at zero. */
export function makeManualClock(startMs = 0): ManualClock {
  let time = 0;
  let wallMs = startMs;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  const sleeps: number[] = [];
  const watchers = new Set<() => void>();
  const advance = (ms: number) => {
    time += ms;
    for (const sleeper of [...sleepers].sort((a, b) => a.at - b.at)) if (sleeper.at <= time) sleeper.wake();
  };
  return {
    now: () => wallMs + time,
    monotonicMs: () => time,
    get waiting() {
      return sleepers.size;
    },
    setWall(byMs) {
      wallMs += byMs;
    },
    sleeps,
    slept: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (sleeps.length < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.push(ms);
        for (const look of [...watchers]) look();
        if (ms <= 0) {
          resolve();
          return;
        }
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const sleeper = {
          at: time + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', give);
            resolve();
          },
        };
        const give = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', give);
      }),
    advance,
    async advanceAndRun(ms) {
      advance(ms);
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    },
  };
}
