import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { makeBlockPool } from '../../../../src/base/block-pool.js';
import { HyperupError } from '../../../../src/base/errors.js';
import type { BlobOrigin } from '../../../../src/mirror/content/types.js';
import type { PartStore } from '../../../../src/mirror/fetch/part-store.js';
import { makeRangeSet, type Range } from '../../../../src/mirror/fetch/range-set.js';
import type { BlobStream, Descriptor, FailureKind } from '../../../../src/registry/types.js';
import type { ManualClock } from '../../../fakes/manual-clock.js';
import { makeRandom } from '../../../faults/fault-schedule.js';

/** What an origin does with one request. */
export type Behaviour =
  | { readonly kind: 'serve' }
  | { readonly kind: 'fail'; readonly failure: FailureKind }
  /** `open` never settles, and doesn't heed its signal either. */
  | { readonly kind: 'hang' }
  /** After so many bytes: an error, an end, silence, or one byte a second. */
  | { readonly kind: 'error' | 'short' | 'stall' | 'trickle'; readonly after: number }
  /** The byte at that place of the blob is another. */
  | { readonly kind: 'flip'; readonly at: number }
  | { readonly kind: 'wrongSize' }
  | { readonly kind: 'wrongStart' }
  | { readonly kind: 'longer' };

export interface FakeOriginOptions {
  readonly name: string;
  readonly content: Buffer;
  readonly clock: ManualClock;
  /** Bytes a second of each connection. */
  readonly rate?: number | undefined;
  /** Bytes a second of all together. */
  readonly totalRate?: number | undefined;
  readonly latencyMs?: number | undefined;
  readonly ignoresRange?: boolean | undefined;
  readonly behaviour?: ((request: number) => Behaviour) | undefined;
}

export interface FakeOrigin extends BlobOrigin {
  /** The ranges that were asked for. */
  readonly asked: readonly Range[];
  /** Bytes that were handed out. */
  readonly sent: number;
  readonly open: BlobOrigin['open'];
  readonly openNow: number;
  readonly mostOpen: number;
}

const stepMs = 50;
const blockBytes = 256 * 1024;
/** Few, so that a chunk that is read after it was released is soon another's. */
const blocks = makeBlockPool(blockBytes, 2);

/** A chunk as a connection lends it, where it isn't too long. */
function lend(bytes: Buffer): Buffer {
  if (bytes.length > blockBytes) return Buffer.from(bytes);
  const chunk = blocks.take().subarray(0, bytes.length);
  bytes.copy(chunk);
  return chunk;
}

/** An origin without sockets, on a manual clock. */
export function makeFakeOrigin(options: FakeOriginOptions): FakeOrigin {
  const { name, content, clock, rate = 100e6, totalRate, latencyMs = 20, ignoresRange = false } = options;
  const asked: Range[] = [];
  let sent = 0;
  let openNow = 0;
  let mostOpen = 0;

  async function* serve(from: number, to: number, act: Behaviour, closed: AbortSignal): AsyncGenerator<Buffer> {
    let at = from;
    const left = () => ('after' in act ? Math.max(0, from + act.after - at) : Number.POSITIVE_INFINITY);
    while (at < to) {
      await clock.sleep(stepMs, closed);
      const allowed = totalRate === undefined ? rate : Math.min(rate, totalRate / Math.max(openNow, 1));
      const bytes = Math.min(to - at, Math.max(1, Math.floor((allowed * stepMs) / 1000)), left());
      if (bytes > 0) {
        const chunk = lend(content.subarray(at, at + bytes));
        if (act.kind === 'flip' && act.at >= at && act.at < at + bytes) {
          chunk[act.at - at] = (chunk[act.at - at] ?? 0) ^ 0xff;
        }
        at += bytes;
        sent += bytes;
        yield chunk;
      }
      if (left() > 0) continue;
      if (act.kind === 'error') throw failure('broken', name);
      if (act.kind === 'short') return;
      if (act.kind === 'stall') await clock.sleep(1e9, closed);
      if (act.kind === 'trickle') {
        await clock.sleep(1000, closed);
        sent += 1;
        yield Buffer.from(content.subarray(at, ++at));
      }
    }
    if (act.kind === 'longer') yield Buffer.alloc(10);
  }

  return {
    name,
    host: `${name}.invalid`,
    asked,
    get sent() {
      return sent;
    },
    get openNow() {
      return openNow;
    },
    get mostOpen() {
      return mostOpen;
    },
    async open(_digest, range, signal): Promise<BlobStream> {
      const act = options.behaviour?.(asked.length) ?? { kind: 'serve' };
      const start = ignoresRange ? 0 : range.start;
      const end = range.length === undefined || ignoresRange ? content.length : range.start + range.length;
      asked.push({ start: range.start, end });
      await clock.sleep(latencyMs, signal);
      if (act.kind === 'hang') await new Promise(() => {});
      if (act.kind === 'fail') throw failure(act.failure, name);
      const closed = new AbortController();
      const to = act.kind === 'longer' ? content.length : end;
      const body = Readable.from(serve(start, to, act, closed.signal), { objectMode: false, highWaterMark: 1 });
      openNow += 1;
      mostOpen = Math.max(mostOpen, openNow);
      body.once('close', () => {
        openNow -= 1;
      });
      const destroy = body.destroy.bind(body);
      body.destroy = (error) => {
        closed.abort(new Error('closed'));
        return destroy(error);
      };
      return {
        start: act.kind === 'wrongStart' ? start + 1 : start,
        totalSize: act.kind === 'wrongSize' ? content.length + 1 : content.length,
        body,
        servedBy: name,
      };
    },
  };
}

function failure(kind: FailureKind, name: string): HyperupError {
  const code = kind === 'notFound' ? 'NotFound' : kind === 'login' ? 'PermissionDenied' : 'RegistryFailed';
  return new HyperupError(code, `ask ${name}: ${kind}`, { details: { kind, host: name } });
}

/** A part file in memory, which may outlast a fetch. */
export interface MemoryPart extends PartStore {
  readonly content: Buffer;
  readonly noted: readonly Range[];
  readonly completed: boolean;
  readonly restarts: number;
}

export function makeMemoryPart(size: number, found: readonly Range[] = [], bytes?: Buffer): MemoryPart {
  const content = Buffer.alloc(size);
  bytes?.copy(content);
  let kept: readonly Range[] = found;
  let noted = makeRangeSet(found);
  let written = makeRangeSet(found);
  let completed = false;
  let restarts = 0;
  return {
    content,
    get noted() {
      return noted.ranges;
    },
    get completed() {
      return completed;
    },
    get restarts() {
      return restarts;
    },
    get found() {
      return kept;
    },
    async write(position, buffers) {
      // As a disk's, it reads the buffers later than it is called.
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      let at = position;
      for (const buffer of buffers) {
        if (written.missingIn(at, at + buffer.length).length !== 1) throw new Error(`byte ${at} was written twice`);
        buffer.copy(content, at);
        written.add(at, at + buffer.length);
        at += buffer.length;
      }
    },
    async read(position, length) {
      if (written.missingIn(position, position + length).length > 0) throw new Error('read before it was written');
      return Buffer.from(content.subarray(position, position + length));
    },
    async note(ranges) {
      for (const { start, end } of ranges) {
        if (written.missingIn(start, end).length > 0) throw new Error('noted before it was written');
        noted.add(start, end);
      }
    },
    async restart() {
      kept = [];
      noted = makeRangeSet();
      written = makeRangeSet();
      restarts += 1;
    },
    async complete() {
      completed = true;
    },
    async close() {},
  };
}

/** Bytes that differ everywhere, the same for the same seed. */
export function makeContent(size: number, seed = 1): { readonly content: Buffer; readonly blob: Descriptor } {
  const content = Buffer.alloc(size);
  const random = makeRandom(seed);
  for (let at = 0; at < size; at += 4) content.writeUInt32LE(Math.floor(random() * 2 ** 32), Math.min(at, size - 4));
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  return { content, blob: { mediaType: 'application/octet-stream', digest, size } };
}

/** Lets time pass until the work settles; a test fails by the error of a work that doesn't within `limitMs`. */
export async function passTime<T>(clock: ManualClock, work: Promise<T>, limitMs = 600_000): Promise<T> {
  let settled = false;
  work.then(
    () => {
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  const step = async () => {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  };
  await step();
  while (!settled) {
    if (clock.monotonicMs() > limitMs) throw new Error(`hangs: not settled after ${limitMs} ms`);
    clock.advance(10);
    await step();
  }
  return work;
}
