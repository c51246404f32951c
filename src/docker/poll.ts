import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';

export interface PollOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks until the answer isn't undefined. Unlike `waitFor`, a failure of the question ends it: an engine that went away
 * won't come back with the answer. `Timeout` when the time is up.
 */
export async function pollUntil<T>(
  action: string,
  ask: () => Promise<T | undefined>,
  options: PollOptions,
): Promise<T> {
  const { clock, timeoutMs, intervalMs, signal } = options;
  const deadline = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (clock.monotonicMs() >= deadline) {
      throw new HyperupError('Timeout', `${action}: not done after ${timeoutMs} ms`, { details: { timeoutMs } });
    }
    await clock.sleep(intervalMs, signal);
  }
}
