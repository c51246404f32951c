import type { Clock } from '../../base/clock.js';

/** The promise's outcome, or `late` once the signal fires; the promise goes on then. */
export async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | 'late'> {
  let stop = () => {};
  const late = new Promise<'late'>((resolve) => {
    stop = () => resolve('late');
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Sleeps until the time is over, one of `wakers` is called or the signal fires; never rejects. */
export async function sleepOrWake(
  clock: Clock,
  ms: number,
  wakers: Set<() => void>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const stop = () => over.abort('woken');
  wakers.add(stop);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (!signal.aborted) await clock.sleep(ms, over.signal);
  } catch {
    // Woken.
  } finally {
    wakers.delete(stop);
    signal.removeEventListener('abort', stop);
  }
}
