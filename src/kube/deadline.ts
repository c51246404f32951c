import { setMaxListeners } from 'node:events';
import { HyperupError } from '../base/errors.js';

/** A time limit joined to an outer signal. `end` must be called, or the timer and the listener stay. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Starts the time anew with another limit; none where undefined. */
  extend(timeoutMs: number | undefined): void;
  /** `Timeout` or `Aborted` once it fired, else undefined. */
  reason(): HyperupError | undefined;
  end(): void;
}

/** Starts a deadline at once. The outer signal may have fired already. */
export function startDeadline(action: string, timeoutMs: number | undefined, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let reason: HyperupError | undefined;
  let timer: NodeJS.Timeout | undefined;
  const fire = (error: HyperupError) => {
    reason ??= error;
    controller.abort(error);
  };
  const onAbort = () => fire(new HyperupError('Aborted', `${action}: interrupted`, { cause: outer?.reason }));
  const extend = (limitMs: number | undefined) => {
    clearTimeout(timer);
    if (limitMs === undefined) return;
    timer = setTimeout(() => {
      const message = `${action}: no answer after ${limitMs / 1000} s`;
      fire(new HyperupError('Timeout', message, { details: { timeoutMs: limitMs, reason: 'Timeout' } }));
    }, limitMs);
  };
  extend(timeoutMs);
  if (outer?.aborted) onAbort();
  else if (outer) {
    // One signal stops a whole program's calls, and each takes its listener off again: eleven are no leak.
    setMaxListeners(0, outer);
    outer.addEventListener('abort', onAbort, { once: true });
  }
  return {
    signal: controller.signal,
    extend,
    reason: () => reason,
    end() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
    },
  };
}
