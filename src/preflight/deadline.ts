import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';

/** The work's outcome, or `Timeout` when it takes too long; the work itself isn't stopped, only no longer awaited. */
export async function withDeadline<T>(clock: Clock, limitMs: number, work: () => Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    const expired = clock.sleep(limitMs, timer.signal).then((): never => {
      throw new HyperupError('Timeout', `no answer after ${limitMs / 1000} s`);
    });
    return await Promise.race([work(), expired]);
  } finally {
    timer.abort();
  }
}

/** A reader that works once and gives everyone the same outcome. */
export function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= read();
    return result;
  };
}
