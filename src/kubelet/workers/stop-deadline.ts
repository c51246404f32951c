import type { Clock } from '../../base/clock.js';

/** How long containers that are being stopped still have; it can be shortened while they stop, never made longer. */
export interface StopDeadline {
  /** In whole seconds, rounded up; 0 when it is over. */
  leftSeconds(): number;
  /** Counts from now. No effect where more would be left than now. */
  shorten(graceSeconds: number): void;
  /** Called at each shortening, until the returned function is called. */
  onShorten(listener: () => void): () => void;
  /** Resolves when it is over, or when the signal fires. */
  over(signal: AbortSignal): Promise<void>;
}

export function createStopDeadline(clock: Clock, graceSeconds: number): StopDeadline {
  let endMs = clock.monotonicMs() + graceSeconds * 1000;
  const listeners = new Set<() => void>();
  const onShorten = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    leftSeconds: () => Math.max(0, Math.ceil((endMs - clock.monotonicMs()) / 1000)),
    shorten(seconds) {
      const atMs = clock.monotonicMs() + seconds * 1000;
      if (atMs >= endMs) return;
      endMs = atMs;
      for (const listener of [...listeners]) listener();
    },
    onShorten,
    async over(signal) {
      while (!signal.aborted && clock.monotonicMs() < endMs) {
        const changed = new AbortController();
        const off = onShorten(() => changed.abort());
        await clock.sleep(endMs - clock.monotonicMs(), AbortSignal.any([signal, changed.signal])).catch(() => {});
        off();
      }
    },
  };
}
