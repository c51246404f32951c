import type { Readable } from 'node:stream';

/**
 * Gives each chunk of the source to `take`, which may ask for time by a promise: the source is not read meanwhile.
 * Resolves at the source's end or when `take` rejects or throws, with that; never for a source that is destroyed.
 */
export function readInTurn(source: Readable, take: (chunk: Buffer) => Promise<void> | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let busy = false;
    let ended = false;
    const stop = (error: unknown) => {
      source.off('data', onData);
      source.pause();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onData = (chunk: Buffer) => {
      try {
        const time = take(chunk);
        if (time === undefined) return;
        busy = true;
        source.pause();
        time.then(() => {
          busy = false;
          if (ended) resolve();
          else source.resume();
        }, stop);
      } catch (error) {
        stop(error);
      }
    };
    source.on('data', onData);
    source.once('end', () => {
      ended = true;
      if (!busy) resolve();
    });
  });
}
