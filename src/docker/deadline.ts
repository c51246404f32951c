import type { Clock } from '../base/clock.js';
import { HyperupError, throwIfAborted } from '../base/errors.js';

export interface DeadlineOptions {
  readonly clock: Clock;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that fires when the caller aborts or the time is up. Settles at that moment even where
 * `work` doesn't heed its signal. Rejects with `Aborted` or `Timeout`.
 */
export async function withDeadline<T>(
  action: string,
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, signal } = options;
  throwIfAborted(signal, action);
  const stop = new AbortController();
  const timer = new AbortController();
  let onAbort = () => {};
  const cut = new Promise<never>((_, reject) => {
    const end = (error: HyperupError) => {
      // The reason first, so that the request's own failure comes second and is dropped by the race.
      reject(error);
      stop.abort(error);
    };
    onAbort = () => end(new HyperupError('Aborted', `${action}: interrupted`, { cause: signal?.reason }));
    // Not AbortSignal.any: on Node 20 it holds on to every signal made from a long-lived one.
    signal?.addEventListener('abort', onAbort, { once: true });
    if (timeoutMs !== undefined) {
      clock.sleep(timeoutMs, timer.signal).then(
        () =>
          end(new HyperupError('Timeout', `${action}: no answer within ${timeoutMs} ms`, { details: { timeoutMs } })),
        () => {},
      );
    }
  });
  try {
    return await Promise.race([work(stop.signal), cut]);
  } finally {
    // Without a reason each call would make an error with a stack.
    timer.abort('settled');
    signal?.removeEventListener('abort', onAbort);
  }
}
