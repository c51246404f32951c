import type { Readable } from 'node:stream';

/** A limit on how long the other side may take; it doesn't count while paused. */
export interface Watchdog {
  pause(): void;
  /** The time begins anew. */
  resume(): void;
  stop(): void;
}

export function createWatchdog(limitMs: number, onLate: () => void): Watchdog {
  let paused = false;
  const timer = setTimeout(() => {
    if (paused) timer.refresh();
    else onLate();
  }, limitMs);
  return {
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      timer.refresh();
    },
    stop: () => clearTimeout(timer),
  };
}

/** A request's body that the watchdog sleeps over while its source is slow, and not while the other side is. */
export async function* watchedBody(body: Readable, watchdog: Watchdog): AsyncGenerator<Buffer> {
  watchdog.pause();
  for await (const chunk of body) {
    watchdog.resume();
    yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as Uint8Array);
    watchdog.pause();
  }
  watchdog.resume();
}
