import type { EmitProgress, ProgressEvent } from './progress.js';

/**
 * A running verb: iterate it for progress, await `result` for the outcome, `abort` to stop it (it rolls back).
 * Events are kept until read; one iteration is supported. The iteration ends when the work ends and never throws:
 * the failure is in `result` alone. `result` may be left unread.
 */
export interface Operation<T> extends AsyncIterable<ProgressEvent> {
  readonly result: Promise<T>;
  abort(reason?: unknown): void;
}

/** Starts `work` at once and gives its handle. An outer signal aborts it too. */
export function startOperation<T>(
  work: (emit: EmitProgress, signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Operation<T> {
  const controller = new AbortController();
  const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal;
  const queue: ProgressEvent[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const notify = () => {
    wake?.();
    wake = undefined;
  };
  const result = (async () => {
    try {
      return await work((event) => {
        queue.push(event);
        notify();
      }, signal);
    } finally {
      ended = true;
      notify();
    }
  })();
  result.catch(() => {});
  return {
    result,
    abort: (reason) => controller.abort(reason),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const event = queue.shift();
        if (event) yield event;
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}
