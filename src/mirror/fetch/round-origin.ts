import type { BlobOrigin } from '../content/types.js';
import type { OriginFault } from './origin-fault.js';
import type { OriginMeter } from './origin-meter.js';

/** An origin during the fetch of one blob. */
export interface RoundOrigin {
  readonly origin: BlobOrigin;
  readonly meter: OriginMeter;
  /** How many failures it has left; bytes earn some back. */
  credit: number;
  /** Bytes of the blob that came from it, over all rounds. */
  served: number;
  /** Bytes of the blob as it is now that came from it. */
  contributed: number;
  /** Only good for a read of the whole. */
  ignoresRange: boolean;
  /** Its last failure. */
  fault: OriginFault | undefined;
  /** Not asked for this blob any more, because of `fault`. */
  dropped: boolean;
}

/** Failures in a row that an origin may have. */
export const fullCredit = 5;
/** So many bytes earn one failure. */
export const creditBytes = 1 << 20;

export function makeRoundOrigin(origin: BlobOrigin, meter: OriginMeter): RoundOrigin {
  return {
    origin,
    meter,
    // What a host that only fails may cost was spent on earlier blobs; one try still tells whether it is back.
    credit: meter.fruitless < fullCredit ? fullCredit : 1,
    served: 0,
    contributed: 0,
    ignoresRange: false,
    fault: undefined,
    dropped: false,
  };
}

/** Counts a failure; the origin is dropped where it was its last, or asking again can't help. */
export function noteFault(source: RoundOrigin, fault: OriginFault, nowMs: number): void {
  source.fault = fault;
  // To know no ranges is no failure: it costs one request and is remembered.
  if (source.ignoresRange && !fault.final && fault.message === 'ignores ranges') return;
  source.credit -= fault.slow ? 2 : 1;
  source.meter.noteFailure(nowMs, fault.retryAfterMs);
  if (fault.limited) source.meter.cap = Math.max(1, source.meter.active);
  if (fault.final || source.credit < 1) source.dropped = true;
}

/** Counts bytes that were new. */
export function noteServed(source: RoundOrigin, bytes: number): void {
  source.served += bytes;
  source.contributed += bytes;
  source.credit = Math.min(fullCredit, source.credit + bytes / creditBytes);
}

/**
 * The origin to ask for so many bytes: the one that will be done soonest, of those that may be asked. One that is far
 * slower than the best, or took part in a wrong blob, serves only where no other can. Pure.
 */
export function chooseSource(
  sources: readonly RoundOrigin[],
  bytes: number,
  allows: (source: RoundOrigin) => boolean,
): RoundOrigin | undefined {
  const trusted = sources.filter((source) => !source.meter.suspect);
  const scored = (trusted.length > 0 ? trusted : sources)
    .map((source) => ({ source, score: score(source, bytes) }))
    .sort((a, b) => a.score - b.score);
  const best = scored.find(({ source }) => source.meter.rate !== undefined)?.score;
  return scored.find(
    ({ source, score: each }) => allows(source) && (best === undefined || each <= best * farSlower + slackMs),
  )?.source;
}

const farSlower = 8;
const slackMs = 500;

function score({ meter }: RoundOrigin, bytes: number): number {
  if (meter.rate !== undefined) return meter.expectedMs(bytes);
  // Nothing is known: asked once in the user's order, and not much more until something is.
  return meter.latencyMs === undefined ? meter.active * 200 : meter.latencyMs * (1 + meter.active);
}
