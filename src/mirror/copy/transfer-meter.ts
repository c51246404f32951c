import type { Clock } from '../../base/clock.js';
import type { EmitProgress } from '../../base/progress.js';
import type { FetchedFrom } from '../content/types.js';

/** Counts what moves and tells it, as `transfer` events, a few times a second. */
export interface TransferMeter {
  /** Bytes that have moved, and from where; `undefined`: they were there already, left by an earlier run. */
  add(bytes: number, origin: string | undefined): void;
  /** Tells the last state. */
  end(): void;
  readonly moved: number;
  readonly found: number;
  readonly from: readonly FetchedFrom[];
}

export interface TransferMeterOptions {
  readonly image: string;
  /** Named until bytes have come from somewhere. */
  readonly source: string;
  readonly totalBytes: number;
  readonly emit: EmitProgress;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

const tellEveryMs = 200;
/** The rate is that of this long, so that it follows the link without jumping. */
const windowMs = 5000;

export function makeTransferMeter(options: TransferMeterOptions): TransferMeter {
  const { image, source, totalBytes, emit, clock } = options;
  const byOrigin = new Map<string, number>();
  const startedMs = clock.monotonicMs();
  const samples: { readonly atMs: number; readonly moved: number }[] = [{ atMs: startedMs, moved: 0 }];
  let moved = 0;
  let found = 0;
  let toldMs = Number.NEGATIVE_INFINITY;

  const tell = (nowMs: number) => {
    toldMs = nowMs;
    samples.push({ atMs: nowMs, moved });
    while (samples.length > 2 && (samples[1]?.atMs ?? nowMs) <= nowMs - windowMs) samples.shift();
    const oldest = samples[0] ?? { atMs: startedMs, moved: 0 };
    const spanMs = nowMs - oldest.atMs;
    const bytesPerSecond = spanMs > 0 ? Math.round(((moved - oldest.moved) * 1000) / spanMs) : 0;
    const currentBytes = Math.min(totalBytes, moved + found);
    const leftMs = bytesPerSecond > 0 ? Math.round(((totalBytes - currentBytes) * 1000) / bytesPerSecond) : undefined;
    const origins = [...byOrigin.keys()];
    const from = origins.length === 0 ? source : origins.join(', ');
    emit({ type: 'transfer', image, source: from, currentBytes, totalBytes, bytesPerSecond, leftMs });
  };

  return {
    add(bytes, origin) {
      if (origin === undefined) found += bytes;
      else {
        moved += bytes;
        byOrigin.set(origin, (byOrigin.get(origin) ?? 0) + bytes);
      }
      const nowMs = clock.monotonicMs();
      if (nowMs - toldMs >= tellEveryMs) tell(nowMs);
    },
    end: () => tell(clock.monotonicMs()),
    get moved() {
      return moved;
    },
    get found() {
      return found;
    },
    get from() {
      return [...byOrigin].map(([origin, bytes]) => ({ origin, bytes }));
    },
  };
}
