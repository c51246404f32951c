import type { Clock } from '../../base/clock.js';

/** Who may begin, among blobs of one run. */
export interface Turns {
  /** Resolves when it is the blob's turn; what it gives is called once the blob is done. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<() => void>;
}

/** Where nothing limits, two at once keep both registries busy, and more only cost memory. */
const atOnce = 2;
/** Who has waited that long is on a link on which more at once are faster, milliseconds. */
const patienceMs = 500;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

/** Lets blobs begin, the largest first: two, and more where those take long. */
export function makeTurns(clock: Clock): Turns {
  let busy = 0;
  let waiting: readonly Waiting[] = [];
  const next = () => {
    while (busy < atOnce) {
      const [first, ...rest] = waiting;
      if (first === undefined) return;
      waiting = rest;
      first.begin();
    }
  };
  const leave = () => {
    busy -= 1;
    next();
  };
  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      const over = new AbortController();
      try {
        await new Promise<void>((resolve, reject) => {
          const begin = () => {
            busy += 1;
            resolve();
          };
          const entry = { bytes, begin };
          const withdraw = () => {
            waiting = waiting.filter((other) => other !== entry);
          };
          waiting = [...waiting, entry].toSorted((a, b) => b.bytes - a.bytes);
          next();
          if (!waiting.includes(entry)) return;
          clock.sleep(patienceMs, AbortSignal.any([signal, over.signal])).then(
            () => {
              if (!waiting.includes(entry)) return;
              withdraw();
              begin();
            },
            () => {
              if (!signal.aborted) return;
              withdraw();
              reject(signal.reason);
            },
          );
        });
      } finally {
        over.abort();
      }
      return leave;
    },
  };
}
