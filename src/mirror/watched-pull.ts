import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import type { ImageEngine, PullProgress } from '../docker/types.js';

export interface WatchedPullOptions {
  readonly clock: Clock;
  readonly stallMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: PullProgress) => void;
}

/**
 * Pulls, and gives up with `Timeout` when nothing has moved for `stallMs`. The engine retries a blob that can't be
 * had for minutes, reporting its countdown all the while: that doesn't count as moving.
 */
export async function watchedPull(
  engine: Pick<ImageEngine, 'pullImage'>,
  reference: string,
  { clock, stallMs, signal, onProgress }: WatchedPullOptions,
): Promise<void> {
  const stall = new AbortController();
  const done = new AbortController();
  let movedAt = clock.monotonicMs();
  let lastStatus = '';
  const pull = engine.pullImage(reference, {
    stallMs,
    signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
    onProgress: (progress) => {
      lastStatus = progress.status;
      if (!/^retrying/i.test(progress.status)) movedAt = clock.monotonicMs();
      onProgress(progress);
    },
  });
  const watch = async (): Promise<never> => {
    for (;;) {
      const left = movedAt + stallMs - clock.monotonicMs();
      if (left <= 0) {
        const last = lastStatus === '' ? '' : ` (last: ${lastStatus})`;
        const error = new HyperupError('Timeout', `pull ${reference}: nothing came for ${stallMs / 1000} s${last}`);
        stall.abort(error);
        throw error;
      }
      await clock.sleep(left, done.signal);
    }
  };
  try {
    await Promise.race([pull, watch()]);
  } finally {
    done.abort();
    // Where the stall won the race, the engine's own rejection comes later and is of no use.
    pull.catch(() => {});
  }
}
