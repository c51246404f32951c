import type { Readable } from 'node:stream';
import { release } from '../../base/block-pool.js';
import type { Clock } from '../../base/clock.js';
import { foundFault, type OriginFault, originFault } from './origin-fault.js';
import type { RoundOrigin } from './round-origin.js';

/** One request on its way: bytes from `position` on, wanted up to `end`, which may come nearer while it runs. */
export interface Lane {
  readonly source: RoundOrigin;
  /** It reads the whole blob, what is there already too, from a registry that knows no ranges. */
  readonly whole: boolean;
  position: number;
  end: number;
  /** The lane that fetches the same bytes against this one. */
  rival: Lane | undefined;
  /** Bytes a second, its own or, until that was measured, what its host is known for. */
  readonly rate: number | undefined;
  /** How long nothing has come though it was being read. */
  silentMs(): number;
  /** Measures; gives a fault where it was too slow to go on with. */
  check(): OriginFault | undefined;
  pause(): void;
  resume(): void;
  /** Ends it; `onEnd` isn't called. */
  cancel(): void;
}

export interface LaneOptions {
  readonly source: RoundOrigin;
  readonly digest: string;
  /** Of the blob. */
  readonly size: number;
  readonly start: number;
  readonly end: number;
  readonly whole: boolean;
  readonly clock: Clock;
  /** After how long without bytes, or with next to none, it is given up. */
  readonly silenceMs: number;
  /** Before `position` moves over the chunk, which may be lent: see `base/block-pool`. */
  readonly onChunk: (lane: Lane, chunk: Buffer) => void;
  /** Once: with a fault, or having reached `end`. */
  readonly onEnd: (lane: Lane, fault: OriginFault | undefined) => void;
}

/** Slower than that, bytes a second, is as good as silent. */
const trickle = 1024;
/** How much longer it may take to begin. */
const patience = 3;
const measuredBytes = 256 * 1024;
const measuredMs = 100;
/** How long a body may take to end after its last byte, before its connection isn't worth keeping. */
const lingerMs = 1_000;

export function openLane(options: LaneOptions): Lane {
  const { source, digest, size, start, end: askedEnd, whole, clock, silenceMs, onChunk, onEnd } = options;
  const { meter } = source;
  const controller = new AbortController();
  const openedMs = clock.monotonicMs();
  let body: Readable | undefined;
  let ended = false;
  let paused = false;
  let rate: number | undefined;
  let lastByteMs = openedMs;
  let windowMs = openedMs;
  let windowBytes = 0;
  let slowMs = openedMs;
  let slowBytes = 0;

  const lane: Lane = {
    source,
    whole,
    position: start,
    end: askedEnd,
    rival: undefined,
    get rate() {
      return rate ?? meter.rate;
    },
    silentMs: () => (paused ? 0 : clock.monotonicMs() - lastByteMs),
    check() {
      if (paused) return undefined;
      const now = clock.monotonicMs();
      measure(now);
      // A host may be waiting out a limit, or asking for a token: that it is silent then is no sign of a broken body.
      if (now - slowMs < (body === undefined ? silenceMs * patience : silenceMs)) return undefined;
      const seconds = (now - slowMs) / 1000;
      if (slowBytes < trickle * seconds) {
        return foundFault(`sent ${slowBytes} bytes in ${Math.round(seconds)} s`, { slow: true });
      }
      slowMs = now;
      slowBytes = 0;
      return undefined;
    },
    pause() {
      if (paused) return;
      measure(clock.monotonicMs());
      paused = true;
      body?.pause();
    },
    resume() {
      if (!paused) return;
      paused = false;
      lastByteMs = windowMs = slowMs = clock.monotonicMs();
      windowBytes = slowBytes = 0;
      body?.resume();
    },
    cancel() {
      ended = true;
      stop();
    },
  };

  function measure(now: number): void {
    if (body === undefined || windowBytes === 0) return;
    if (now - windowMs < measuredMs && (windowBytes < measuredBytes || now <= windowMs)) return;
    const measured = (windowBytes * 1000) / (now - windowMs);
    rate = rate === undefined ? measured : rate * 0.6 + measured * 0.4;
    meter.noteBytes(windowBytes, now - windowMs, 1);
    windowMs = now;
    windowBytes = 0;
  }

  function stop(): void {
    controller.abort();
    body?.destroy();
  }

  function finish(fault: OriginFault | undefined): void {
    if (ended) return;
    ended = true;
    measure(clock.monotonicMs());
    // A body that ends by itself leaves a connection to be used again.
    if (fault === undefined && lane.position === askedEnd && body !== undefined) linger(body, clock, stop);
    else stop();
    onEnd(lane, fault);
  }

  function receive(chunk: Buffer): void {
    if (!ended) take(chunk);
    release(chunk);
  }

  function take(chunk: Buffer): void {
    const now = clock.monotonicMs();
    if (lane.position === start) {
      meter.noteLatency(now - openedMs);
      windowMs = now;
    }
    lastByteMs = now;
    windowBytes += chunk.length;
    slowBytes += chunk.length;
    const wanted = Math.min(chunk.length, lane.end - lane.position);
    onChunk(lane, wanted === chunk.length ? chunk : chunk.subarray(0, wanted));
    lane.position += wanted;
    if (wanted < chunk.length && lane.end === size) {
      finish(foundFault(`sent more than ${size} bytes`, { final: true, lied: true }));
    } else if (lane.position >= lane.end) finish(undefined);
  }

  source.origin
    .open(digest, whole ? { start: 0 } : { start, length: askedEnd - start }, controller.signal)
    .then((stream) => {
      body = stream.body;
      // Without a listener the error of a body that was given up would end the process.
      body.on('error', (error) => finish(originFault(error)));
      if (ended) {
        stop();
        return;
      }
      const fault = streamFault(stream.start, stream.totalSize, start, size);
      if (fault !== undefined) {
        source.ignoresRange ||= stream.start === 0 && start !== 0;
        finish(fault);
        return;
      }
      lastByteMs = slowMs = clock.monotonicMs();
      body.on('data', receive);
      body.on('end', () => finish(foundFault(`ended at byte ${lane.position} of ${size}`)));
      body.on('close', () => finish(foundFault(`broke off at byte ${lane.position} of ${size}`)));
      if (paused) body.pause();
    })
    .catch((error: unknown) => finish(originFault(error)));
  return lane;
}

function streamFault(
  got: number,
  totalSize: number | undefined,
  wanted: number,
  size: number,
): OriginFault | undefined {
  if (totalSize !== undefined && totalSize !== size) {
    return foundFault(`has ${totalSize} bytes, want ${size}`, { final: true, lied: true });
  }
  if (got === wanted) return undefined;
  if (got === 0) return foundFault('ignores ranges');
  return foundFault(`sent bytes from ${got} on, want ${wanted}`, { final: true });
}

function linger(body: Readable, clock: Clock, stop: () => void): void {
  if (body.readableEnded || body.destroyed) return;
  const waiting = new AbortController();
  body.once('close', () => waiting.abort());
  body.once('end', () => waiting.abort());
  clock.sleep(lingerMs, waiting.signal).then(stop, () => {});
}
