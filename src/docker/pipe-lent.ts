import type { Readable, Writable } from 'node:stream';
import { release } from '../base/block-pool.js';

/**
 * Has `upload.pipe` release each chunk (`base/block-pool`) once the destination's socket has taken it; dockerode pipes
 * what it is given, and Node's own `pipe` doesn't say when a chunk is done with. As there, a destination that fails
 * leaves the source as it is.
 */
export function pipeLent(upload: Readable): Readable {
  upload.pipe = <W extends NodeJS.WritableStream>(destination: W) => {
    // What the source fails with is heard by whoever gave it.
    send(upload, destination as unknown as Writable).catch(() => {});
    return destination;
  };
  return upload;
}

async function send(upload: Readable, destination: Writable): Promise<void> {
  for await (const chunk of upload.iterator({ destroyOnReturn: false })) {
    if (!(await written(destination, chunk as Buffer))) return;
  }
  destination.end();
}

/** Resolves when more may be written, with whether that makes sense. */
function written(destination: Writable, chunk: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const hasRoom = destination.write(chunk, (error) => {
      if (!error) release(chunk);
      resolve(!error);
    });
    if (hasRoom) resolve(true);
  });
}
