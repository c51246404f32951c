import type { FileHandle } from 'node:fs/promises';
import { release } from '../../base/block-pool.js';

/** Bytes that wait for the disk before a write is held back. */
const maxQueued = 8 * 1024 * 1024;

/** Sequential writing into an open file, gathering what comes while the disk is busy. Not for two writers at once. */
export interface FileSink {
  /** Resolves when the chunk is queued; it is the sink's from then on (`base/block-pool`). Rejects with the disk's error. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when all is written; more may follow. */
  flush(): Promise<void>;
  /** Where the next chunk goes, bytes from the file's beginning. */
  readonly position: number;
  /** Goes on at that place; only after `flush`. */
  seek(position: number): void;
}

/** A sink from `start` on. Errors are the file system's own. The file stays the caller's to close. */
export function makeFileSink(file: FileHandle, start = 0): FileSink {
  let queue: Buffer[] = [];
  let queued = 0;
  let written = start;
  let position = start;
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  const run = async () => {
    while (queue.length > 0) {
      const batch = queue.splice(0, 512);
      const bytes = batch.reduce((sum, chunk) => sum + chunk.length, 0);
      try {
        await writeAll(file, batch, written);
      } catch (error) {
        failure = { error };
        queue = [];
        break;
      }
      for (const chunk of batch) release(chunk);
      written += bytes;
      queued -= bytes;
    }
    running = undefined;
  };
  const flush = async () => {
    while (running !== undefined) await running;
    if (failure) throw failure.error;
  };
  return {
    write: async (chunk) => {
      if (failure) throw failure.error;
      if (chunk.length === 0) return;
      queue.push(chunk);
      queued += chunk.length;
      position += chunk.length;
      running ??= run();
      if (queued > maxQueued) await flush();
    },
    flush,
    get position() {
      return position;
    },
    seek: (to) => {
      position = to;
      written = to;
    },
  };
}

/** The kernel may take less than it was offered, above 2 GiB and on a disk that fills up. */
async function writeAll(file: FileHandle, chunks: readonly Buffer[], at: number): Promise<void> {
  let rest = [...chunks];
  let position = at;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, position);
    position += bytesWritten;
    let left = bytesWritten;
    while (rest[0] !== undefined && left >= rest[0].length) {
      left -= rest[0].length;
      rest = rest.slice(1);
    }
    if (left > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(left);
  }
}
