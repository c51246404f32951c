import { Readable } from 'node:stream';
import { hold, release } from '../../base/block-pool.js';
import { HyperupError } from '../../base/errors.js';

/** A blob on its way to a target that streams, while a fetcher builds up its file. */
export interface PrefixPipe {
  /** The blob from `from` to its end; the chunks are the reader's to release (`base/block-pool`). */
  readonly body: Readable;
  /** For `FetchBlobRequest.onPrefix`: waits while the reader is behind; a reader that gave up is no hindrance. */
  push(chunk: Buffer): Promise<void> | void;
  /** For `onRestart`: what was pushed is wrong, so the reader fails; the right content will be in the fetcher's file. */
  restart(): void;
  /** The whole blob was pushed, and is what it should be. */
  finish(): void;
  /** Nothing more will come. */
  fail(error: unknown): void;
}

/** What may wait in memory for one reader: a fetcher's chunks have up to 1 MiB, and it keeps the rest in its file. */
const queuedChunks = 1;

/** Joins a fetcher to a reader that wants a blob from some byte on, which is known once `begun` resolves. */
export function makePrefixPipe(begun: Promise<number>): PrefixPipe {
  let from: number | undefined;
  const ready = begun.then(
    (offset) => {
      from = offset;
    },
    // Whoever reads knows, and ends the fetch.
    () => {
      closed = true;
    },
  );
  let pushed = 0;
  let closed = false;
  let wake: (() => void) | undefined;
  const goOn = () => {
    wake?.();
    wake = undefined;
  };
  const body = new Readable({
    // A stream of bytes would join what waits, which copies all of it.
    objectMode: true,
    highWaterMark: queuedChunks,
    read: goOn,
    destroy(error, done) {
      closed = true;
      goOn();
      done(error);
    },
  });
  // It may fail before its reader has begun.
  body.on('error', () => {});
  const push = (chunk: Buffer): Promise<void> | void => {
    if (closed) return;
    if (from === undefined) {
      hold(chunk);
      return ready.then(() => push(chunk)).finally(() => release(chunk));
    }
    const start = pushed;
    pushed += chunk.length;
    if (pushed <= from) return;
    hold(chunk);
    if (body.push(start < from ? chunk.subarray(from - start) : chunk)) return;
    return new Promise((resolve) => {
      wake = resolve;
    });
  };
  return {
    body,
    push,
    restart() {
      body.destroy(new HyperupError('DigestMismatch', 'send on a blob: what came first was wrong'));
    },
    finish() {
      if (!closed) body.push(null);
    },
    fail(error) {
      body.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  };
}
