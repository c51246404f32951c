import type { Clock } from '../../base/clock.js';
import { HyperupError } from '../../base/errors.js';
import type { Descriptor } from '../../registry/types.js';
import type { ConnectionBudget, ConnectionNeed } from './connection-budget.js';
import { type Lane, openLane } from './lane.js';
import { foundFault, type OriginFault } from './origin-fault.js';
import type { PartStore } from './part-store.js';
import { digestAlgorithm, makePrefixDigest } from './prefix-digest.js';
import { makeRangeSet } from './range-set.js';
import { chooseSource, noteFault, noteServed, type RoundOrigin } from './round-origin.js';
import { raceSlowest, splitLongest, uncovered } from './work-split.js';
import { makeWriteQueue } from './write-queue.js';

/** What a fetch may cost and how long it waits. */
export interface RoundLimits {
  /** Less isn't worth a request of its own, bytes. */
  readonly minSegment: number;
  /** Taken from the network and not written yet, bytes a blob; reading stops there. */
  readonly buffered: number;
  /** After how long without bytes a request is given up, milliseconds. */
  readonly silenceMs: number;
  /** After how long another origin is asked for the same, milliseconds. */
  readonly softSilenceMs: number;
  /** How often it looks at rates and stalls, milliseconds. */
  readonly tickMs: number;
}

export interface RoundOptions {
  readonly blob: Pick<Descriptor, 'digest' | 'size'>;
  /** Those that may be asked; their state is kept up to date. */
  readonly sources: readonly RoundOrigin[];
  readonly store: PartStore;
  readonly budget: ConnectionBudget;
  readonly limits: RoundLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly onPrefix: ((chunk: Buffer) => void | Promise<void>) | undefined;
  readonly onBytes: (bytes: number, source: RoundOrigin) => void;
}

/** So little is noted for a later process only when the round fails. */
const smallestNoted = 1 << 20;
/** Work that is done within that time is left to whom it was given, milliseconds. */
const worthSplittingMs = 500;
const worthMoreMs = 1_000;
/** How long a target that streams may hold reading back, to be spared the way over the file. */
const readerPatienceMs = 200;

/**
 * Brings in what the store hasn't got, once, and gives the digest of the whole, whatever it is. Rejects with
 * `ImageUnavailable` where every source was dropped (the faults are in the sources), `Aborted`, or what the store says.
 * What came is noted in the store then.
 */
export async function runRound(options: RoundOptions): Promise<string> {
  const { blob, sources, store, budget, limits, clock, signal } = options;
  const { size, digest } = blob;
  const claimed = makeRangeSet(store.found);
  const lanes = new Set<Lane>();
  const ticking = new AbortController();
  let over = false;
  let finished: () => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const fetched = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const broken = new Promise<never>((_resolve, reject) => {
    failed = reject;
  });
  // It may fail while nobody waits for it.
  broken.catch(() => {});

  const fail = (error: unknown) => {
    stop();
    failed(error);
  };
  const queue = makeWriteQueue(store, onWritten, fail);
  const prefix = makePrefixDigest({
    algorithm: digestAlgorithm(digest),
    size,
    store,
    writtenTo: queue.writtenTo,
    onPrefix: options.onPrefix,
    onFailed: fail,
    onRoom: resumeReading,
  });
  let fullSinceMs: number | undefined;
  const onAbort = () => fail(new HyperupError('Aborted', `fetch ${digest}: interrupted`, { cause: signal?.reason }));
  const leave = budget.onRoom({ fill, starved: () => !over && lanes.size === 0 });

  function stop(): void {
    if (over) return;
    over = true;
    ticking.abort();
    prefix.stop();
    for (const lane of [...lanes]) drop(lane);
  }

  function onWritten(): void {
    prefix.advance();
    resumeReading();
  }

  function resumeReading(): void {
    if (!prefix.full) fullSinceMs = undefined;
    if (queue.waiting <= limits.buffered / 2 && !prefix.full) for (const lane of lanes) lane.resume();
  }

  function onChunk(lane: Lane, chunk: Buffer): void {
    const { position } = lane;
    let fresh = 0;
    for (const { start, end } of claimed.missingIn(position, position + chunk.length)) {
      const piece = chunk.subarray(start - position, end - position);
      claimed.add(start, end);
      prefix.offer(start, piece);
      queue.push(start, piece);
      fresh += end - start;
    }
    if (fresh > 0) {
      noteServed(lane.source, fresh);
      budget.noteBytes(fresh);
      options.onBytes(fresh, lane.source);
      const { rival } = lane;
      if (rival !== undefined && position + chunk.length > rival.position) overtake(rival);
    }
    if (claimed.bytes === size) finished();
    else if (prefix.full || queue.waiting > limits.buffered) {
      if (prefix.full) fullSinceMs ??= clock.monotonicMs();
      for (const each of lanes) each.pause();
    }
  }

  /** Ends a request whose bytes another has brought. */
  function overtake(lane: Lane): void {
    const silentMs = lane.silentMs();
    if (silentMs >= limits.softSilenceMs) {
      noteFault(
        lane.source,
        foundFault(`sent nothing for ${Math.round(silentMs / 1000)} s`, { slow: true }),
        clock.monotonicMs(),
      );
    }
    drop(lane);
  }

  function drop(lane: Lane): void {
    if (!lanes.delete(lane)) return;
    lane.cancel();
    if (lane.rival !== undefined) lane.rival.rival = undefined;
    budget.close(lane.source.meter);
  }

  function onEnd(lane: Lane, fault: OriginFault | undefined): void {
    if (fault === undefined) lane.source.meter.noteSuccess();
    else noteFault(lane.source, fault, clock.monotonicMs());
    if (lane.rival !== undefined) lane.rival.rival = undefined;
    if (!lanes.delete(lane)) return;
    budget.close(lane.source.meter);
    sweep();
    fill();
  }

  /** Ends requests that have nothing left to bring. */
  function sweep(): void {
    for (const lane of [...lanes]) if (claimed.missingIn(lane.position, lane.end).length === 0) drop(lane);
  }

  function start(source: RoundOrigin, from: number, to: number, rival?: Lane): void {
    const whole = source.ignoresRange;
    budget.open(source.meter);
    const lane = openLane({
      source,
      digest,
      size,
      start: whole ? 0 : from,
      end: whole ? size : to,
      whole,
      clock,
      silenceMs: limits.silenceMs,
      onChunk,
      onEnd,
    });
    lanes.add(lane);
    lane.rival = rival;
    if (rival !== undefined) rival.rival = lane;
    if (prefix.full || queue.waiting > limits.buffered) lane.pause();
  }

  /** The sources that may be asked now; those that know no ranges only where no other is left, and alone. */
  function usable(): readonly RoundOrigin[] {
    const kept = sources.filter((source) => !source.dropped);
    const ranged = kept.filter((source) => !source.ignoresRange);
    const now = clock.monotonicMs();
    const ready = ranged.filter((source) => source.meter.retryAtMs(false) <= now);
    if (ready.length > 0) return ready;
    const alone = ranged.length > 0 ? ranged : lanes.size === 0 ? kept : [];
    return alone.filter((source) => source.meter.retryAtMs(true) <= now);
  }

  const meters = () => usable().map((source) => source.meter);

  function choose(need: ConnectionNeed, bytes: number, except?: RoundOrigin): RoundOrigin | undefined {
    return chooseSource(usable(), bytes, (source) => source !== except && budget.allows(source.meter, need));
  }

  /** Gives work to as many connections as are let in. */
  function fill(): void {
    if (over || claimed.bytes === size) return;
    while (startOne()) {
      // until there is no work, or no room
    }
    if (lanes.size === 0 && sources.every((source) => source.dropped)) {
      fail(new HyperupError('ImageUnavailable', `fetch ${digest}: no source is left`));
    }
  }

  function startOne(): boolean {
    const need = lanes.size === 0 ? 'first' : 'more';
    const gap = uncovered(claimed, [...lanes], size)[0];
    if (gap !== undefined) {
      const source = choose(need, gap.end - gap.start);
      if (source === undefined) return false;
      start(source, gap.start, gap.start + pieceOf(gap.end - gap.start, source));
      return true;
    }
    const source = choose(need, limits.minSegment);
    if (source === undefined || source.ignoresRange) return false;
    const split = splitLongest([...lanes], source.meter.rate, { ...limits, worthMs: worthSplittingMs });
    if (split !== undefined) {
      const { end } = split.victim;
      split.victim.end = split.at;
      start(source, split.at, end);
      return true;
    }
    const victim = raceSlowest([...lanes], (lane) => raceMs(source, lane), {
      worthMs: worthSplittingMs,
      silenceMs: limits.softSilenceMs,
    });
    if (victim !== undefined) start(source, victim.position, victim.end, victim);
    return victim !== undefined;
  }

  function raceMs(source: RoundOrigin, lane: Lane): number | undefined {
    if (source.meter.rate === undefined && source === lane.source) return undefined;
    return source.meter.expectedMs(lane.end - lane.position);
  }

  /** How much of a gap one request takes: all, but where more connections are let in and it would take long. */
  function pieceOf(bytes: number, source: RoundOrigin): number {
    const { meter } = source;
    if (source.ignoresRange || meter.expectedMs(bytes) < worthMoreMs) return bytes;
    const known = meters().filter((each) => each.rate !== undefined);
    const rates = known.reduce((sum, each) => sum + (each.rate ?? 0) * budget.room([each]), 0);
    const share = rates > 0 ? (meter.rate ?? 0) / rates : 1;
    return Math.min(bytes, Math.max(Math.ceil(bytes * share), 2 * limits.minSegment));
  }

  function wantsMore(): boolean {
    const rates = [...lanes].reduce((sum, lane) => sum + (lane.rate ?? 0), 0);
    const left = size - claimed.bytes;
    return left > 2 * limits.minSegment && (left * 1000) / Math.max(rates, 1) > worthMoreMs;
  }

  function tick(): void {
    // The network isn't held back by a reader that is slow, only by one that is hardly slower.
    if (fullSinceMs !== undefined && clock.monotonicMs() - fullSinceMs > readerPatienceMs) {
      prefix.giveUpHolding();
      resumeReading();
    }
    for (const lane of [...lanes]) {
      const fault = lane.check();
      if (fault !== undefined) {
        lane.cancel();
        onEnd(lane, fault);
      } else if (lane.silentMs() >= limits.softSilenceMs && lane.rival === undefined && !lane.whole) {
        const except = lane.silentMs() >= 2 * limits.softSilenceMs ? undefined : lane.source;
        const source = choose('rescue', lane.end - lane.position, except);
        if (source !== undefined && !source.ignoresRange) start(source, lane.position, lane.end, lane);
      }
    }
    queue.flush(size > smallestNoted);
    sweep();
    budget.consider(clock.monotonicMs(), wantsMore(), meters());
    fill();
    if (size > smallestNoted) queue.note().catch(fail);
  }

  async function tickOn(): Promise<void> {
    while (!over) {
      await clock.sleep(limits.tickMs, ticking.signal);
      if (!over) tick();
    }
  }

  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal?.aborted) onAbort();
    prefix.advance();
    if (claimed.bytes === size) finished();
    else fill();
    tickOn().catch((error: unknown) => {
      if (!over) fail(error);
    });
    await Promise.race([fetched, broken]);
    for (const lane of [...lanes]) drop(lane);
    await Promise.race([queue.drain(), broken]);
    return await Promise.race([prefix.finish(), broken]);
  } catch (error) {
    stop();
    // What was received still counts for the next time; why it failed is the first error.
    await queue
      .drain()
      .then(() => queue.note())
      .catch(() => {});
    throw error;
  } finally {
    stop();
    leave();
    // A note that is still being written would claim bytes of a store that is started afresh.
    await queue.settled();
    signal?.removeEventListener('abort', onAbort);
  }
}
