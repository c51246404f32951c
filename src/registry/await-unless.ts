import { throwIfAborted } from '../base/errors.js';

/** Shared work's outcome, or `Aborted` once this caller's signal fires; the work goes on for the others. */
export async function awaitUnless<T>(signal: AbortSignal | undefined, action: string, work: Promise<T>): Promise<T> {
  if (signal === undefined) return await work;
  let stop = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
    throwIfAborted(signal, action);
    return await work;
  } finally {
    signal.removeEventListener('abort', stop);
    // Left to itself where the signal came first.
    work.catch(() => {});
  }
}
