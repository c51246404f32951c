import type { Readable, Writable } from 'node:stream';

/**
 * Copies until the source ends, waiting while the sink takes no more, and then ends the sink where `end` says so. Where
 * the sink closes early the rest is read and dropped, so that nobody waits for it. Never rejects: an end that comes too
 * early shows at the connection it belongs to.
 */
export async function pump(source: Readable, sink: Writable | undefined, end: boolean): Promise<void> {
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      if (sink === undefined || sink.destroyed || sink.writableEnded) continue;
      if (!sink.write(chunk)) await drained(sink);
    }
  } catch {
    // A source that broke has ended, too.
  }
  if (end && sink !== undefined && !sink.destroyed) sink.end();
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
