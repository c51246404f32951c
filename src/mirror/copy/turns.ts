import type { Clock } from '../../base/clock.js';

/** A blob's turn. */
export interface Turn {
  /** Bytes of it have come. */
  moved(): void;
  /** It is done, or failed. */
  leave(): void;
}

/** Who may begin, among blobs of one run. */
export interface Turns {
  /** Resolves when it is the blob's turn. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<Turn>;
}

/** On a fast network two at once keep both registries busy, and more only cost memory. */
const atOnce = 2;
/** A network on which the first bytes take longer isn't fast: there many at once are, milliseconds. */
const slowMs = 250;
/** Nor is one on which somebody has waited so long, milliseconds. */
const patienceMs = 500;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

/** Lets blobs begin, the largest first: two at once where the network is fast, else all. */
export function makeTurns(clock: Clock): Turns {
  let limit = atOnce;
  let busy = 0;
  let waiting: readonly Waiting[] = [];

  const next = () => {
    while (busy < limit) {
      const [first, ...rest] = waiting;
      if (first === undefined) return;
      waiting = rest;
      first.begin();
    }
  };
  /** Lifts the limit unless it is called off within that time. */
  const liftAfter = (ms: number) => {
    const off = new AbortController();
    const lift = () => {
      limit = Number.POSITIVE_INFINITY;
      next();
    };
    clock.sleep(ms, off.signal).then(lift, () => {});
    return () => off.abort();
  };

  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      const goOn = liftAfter(patienceMs);
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => {
          waiting = waiting.filter((other) => other !== entry);
          reject(signal.reason);
        };
        const begin = () => {
          busy += 1;
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        const entry = { bytes, begin };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting = [...waiting, entry].toSorted((a, b) => b.bytes - a.bytes);
        next();
      }).finally(goOn);
      const moved = liftAfter(slowMs);
      let isOver = false;
      return {
        moved,
        leave() {
          if (isOver) return;
          isOver = true;
          moved();
          busy -= 1;
          next();
        },
      };
    },
  };
}
