import { systemClock } from '../../../src/base/clock.js';
import { type Probe, waitFor } from '../../../src/base/wait.js';

/** Calls `probe` until it is done, at most `timeoutMs`; then throws what was awaited and the last reason. */
export async function eventually<T>(what: string, probe: () => Promise<Probe<T>>, timeoutMs = 60_000): Promise<T> {
  return await waitFor(what, probe, { clock: systemClock, timeoutMs, intervalMs: 250 });
}

/** Waits until `look` gives a value that passes `wanted`; the last value is the reason where it never does. */
export async function eventuallySee<T>(
  what: string,
  look: () => Promise<T>,
  wanted: (value: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  return await eventually(
    what,
    async () => {
      const value = await look();
      return wanted(value) ? { done: true, value } : { done: false, reason: `last seen: ${JSON.stringify(value)}` };
    },
    timeoutMs,
  );
}
