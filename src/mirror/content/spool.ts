import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import { chunkBytes } from './archive-file.js';
import { makeFileSink } from './file-sink.js';

/** Bytes put aside in a file of their own. */
export interface Spool {
  readonly path: string;
  readonly size: number;
  open(): Readable;
  remove(): Promise<void>;
}

/** Puts chunks aside in `folder`, which is made. What it can't finish it removes. */
export async function spoolChunks(chunks: AsyncIterable<Buffer>, folder: string): Promise<Spool> {
  const path = join(folder, `spool-${randomBytes(8).toString('hex')}`);
  const remove = () => rm(path, { force: true });
  try {
    await makeFolder(folder);
    const file = await open(path, 'wx', 0o600);
    try {
      const sink = makeFileSink(file);
      for await (const chunk of chunks) await sink.write(chunk);
      await sink.flush();
      const size = sink.position;
      return {
        path,
        size,
        open: () =>
          size === 0 ? Readable.from([], { objectMode: false }) : createReadStream(path, { highWaterMark: chunkBytes }),
        remove,
      };
    } finally {
      await file.close();
    }
  } catch (error) {
    await remove().catch(() => {});
    // What is wrong with the chunks is told by whoever gives them.
    throw fileError('write', path, error);
  }
}
