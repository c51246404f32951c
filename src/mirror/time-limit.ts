import { setMaxListeners } from 'node:events';
import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';

/**
 * The work's outcome, or `Timeout` with that message once `limitMs` are over, or the outer signal's reason, whether the
 * work heeds its signal or not. Work that heeds it comes first, since its error may know more.
 */
export async function withinLimit<T>(
  given: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly message: string;
    readonly signal?: AbortSignal | undefined;
  },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const done = new AbortController();
  const timer = given.clock
    .sleep(given.limitMs, done.signal)
    .then(() => limit.abort(new HyperupError('Timeout', given.message)))
    .catch(() => {});
  const signal = given.signal ? AbortSignal.any([given.signal, limit.signal]) : limit.signal;
  const running = work(signal);
  try {
    return await orAborted(running, signal);
  } catch (error) {
    if (given.signal?.aborted) throw abortedBy(given.signal);
    if (limit.signal.aborted) throw limit.signal.reason;
    throw error;
  } finally {
    done.abort();
    await timer;
  }
}

/** The work's outcome, or `Aborted` once the signal has fired. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    // Work that heeds the signal comes first.
    stop = () => setImmediate(() => reject(abortedBy(signal)));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    // Left to itself where the signal won.
    work.catch(() => {});
    aborted.catch(() => {});
  }
}

/** Fires with the first of these; made for many to wait on, which Node else takes for a leak. */
export function sharedSignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const signal = AbortSignal.any(signals.flatMap((each) => each ?? []));
  setMaxListeners(0, signal);
  return signal;
}

function abortedBy(signal: AbortSignal): HyperupError {
  return signal.reason instanceof HyperupError
    ? signal.reason
    : new HyperupError('Aborted', 'interrupted', { cause: signal.reason });
}
