import { finished, type Readable, type Writable } from 'node:stream';
import { makeYoungCollection } from './young-collection.js';

export interface PumpOptions {
  /** Ends the sink with the source. */
  readonly end: boolean;
  /** Writes what comes within one turn of the event loop at once: for a socket's sake, whose every write costs. */
  readonly gather?: boolean | undefined;
}

/**
 * Copies until the source ends, waiting while the sink takes no more. Where the sink closes early the rest is read and
 * dropped, so that nobody waits for it. Never rejects: an end that comes too early shows at the connection it belongs to.
 */
export function pump(source: Readable, sink: Writable | undefined, options: PumpOptions): Promise<void> {
  return new Promise((resolve) => {
    const collectYoung = makeYoungCollection();
    let gathering = false;
    const flush = () => {
      if (!gathering) return;
      gathering = false;
      sink?.uncork();
    };
    source.on('data', (chunk: Buffer) => {
      collectYoung(chunk.length);
      if (sink === undefined || sink.destroyed || sink.writableEnded) return;
      if (options.gather && !gathering) {
        gathering = true;
        sink.cork();
        setImmediate(flush);
      }
      if (sink.write(chunk)) return;
      flush();
      // It may have taken all of it at once.
      if (sink.writableLength === 0) return;
      source.pause();
      void drained(sink).then(() => source.resume());
    });
    // A source that broke has ended, too.
    finished(source, { writable: false }, () => {
      flush();
      if (options.end && sink !== undefined && !sink.destroyed) sink.end();
      resolve();
    });
  });
}

/** Resolves when it takes more, or never will. */
export function drained(sink: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (sink.destroyed || !sink.writableNeedDrain) {
      resolve();
      return;
    }
    const done = () => {
      for (const name of ['drain', 'close', 'error']) sink.off(name, done);
      resolve();
    };
    for (const name of ['drain', 'close', 'error']) sink.on(name, done);
  });
}
