import type { Clock } from '../../base/clock.js';

/** Bounds how many of the engine's costly starts run at once. */
export interface StartSlots {
  /** Waits for a slot, in order of asking, and gives it back when the work ends, or earlier when it hangs. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export interface StartSlotsOptions {
  readonly clock: Clock;
  /** How many run at once. */
  readonly slots: number;
  /** After that long a slot is given back though the work goes on, so that hung calls never stop the others. */
  readonly holdMs: number;
}

export function createStartSlots({ clock, slots, holdMs }: StartSlotsOptions): StartSlots {
  let free = slots;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return {
    async run(work) {
      if (free > 0) free -= 1;
      else
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      const ended = new AbortController();
      clock.sleep(holdMs, ended.signal).then(release, release);
      try {
        return await work();
      } finally {
        ended.abort('ended');
      }
    },
  };
}
