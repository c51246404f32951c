import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError, readTextIfPresent, removeFile, writeAtomic } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { makeNoteLines, makeNotesHead, type PartIdentity, parseNotes } from './part-notes.js';
import type { Range } from './range-set.js';

/** Where a blob is built up. Errors: `HostChangeFailed`, `PermissionDenied` with the file's name. */
export interface PartStore {
  /** What an earlier process left. */
  readonly found: readonly Range[];
  write(position: number, buffers: readonly Buffer[]): Promise<void>;
  /** Exactly `length` bytes that were written before. */
  read(position: number, length: number): Promise<Buffer>;
  /** Remembers, for a later process, ranges whose `write` has resolved. One call at a time. */
  note(ranges: readonly Range[]): Promise<void>;
  /** Forgets all content. */
  restart(): Promise<void>;
  /** Syncs and gives the file its final name; the store is closed then. */
  complete(): Promise<void>;
  /** Leaves what there is for the next time, or, where `discard`, nothing. */
  close(discard: boolean): Promise<void>;
}

export interface DiskPartOptions {
  readonly identity: PartIdentity;
  /** What the blob's file is called in the end. */
  readonly path: string;
  /** What it is called until then; its notes lie in `PART.notes`. */
  readonly partPath: string;
  /** Flush to the disk before the file gets its final name. */
  readonly sync: boolean;
  readonly logger: Logger;
}

/** After so many bytes the disk is set to work on them, so that little is left to do at the end. */
const flushBytes = 32 * 1024 * 1024;

/**
 * A sparse file and its notes, in a folder that is there. After kill -9 the kernel still has what was written, so notes that follow the write need
 * no flush; after a power failure they may claim what isn't there, which the digest finds out.
 */
export async function openDiskPart(options: DiskPartOptions): Promise<PartStore> {
  const { identity, path, partPath, sync, logger } = options;
  const notesPath = `${partPath}.notes`;
  const guard = async <T>(action: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fileError(action, partPath, error);
    }
  };
  const file = await guard('open', () => open(partPath, constants.O_RDWR | constants.O_CREAT, 0o644));
  let notes: FileHandle | undefined;
  let found: readonly Range[] = [];
  let hasNotes = false;

  let unflushed = 0;
  let flushing: Promise<void> | undefined;
  let flushFailure: { readonly error: unknown } | undefined;

  const flush = () => {
    unflushed = 0;
    flushing = file
      .datasync()
      // The kernel tells a failed write to one sync only.
      .catch((error: unknown) => {
        flushFailure ??= { error };
      })
      .finally(() => {
        flushing = undefined;
      });
  };
  const restart = () =>
    guard('truncate', async () => {
      await notes?.close();
      notes = undefined;
      hasNotes = false;
      await removeFile(notesPath);
      await file.truncate(0);
    });
  try {
    const before = await guard('read', () => readFound(notesPath, file, identity, logger));
    found = before?.ranges ?? [];
    hasNotes = before?.hasNotes ?? false;
    if (before !== undefined && found.length === 0) await restart();
  } catch (error) {
    await file.close();
    throw error;
  }

  return {
    get found() {
      return found;
    },
    write: (position, buffers) =>
      guard('write', async () => {
        let left = buffers;
        for (let at = position; left.length > 0; ) {
          const { bytesWritten } = await file.writev(left as Buffer[], at);
          at += bytesWritten;
          unflushed += bytesWritten;
          left = without(left, bytesWritten);
        }
        if (sync && unflushed >= flushBytes && flushing === undefined) flush();
      }),
    read: (position, length) =>
      guard('read', async () => {
        const buffer = Buffer.allocUnsafe(length);
        for (let at = 0; at < length; ) {
          const { bytesRead } = await file.read(buffer, at, length - at, position + at);
          if (bytesRead === 0) throw new Error(`it ends at ${position + at}, want ${position + length} bytes`);
          at += bytesRead;
        }
        return buffer;
      }),
    note: (ranges) =>
      guard('note in', async () => {
        if (notes === undefined) {
          const head = makeNotesHead(identity) + makeNoteLines(found);
          // Written anew for a torn last line must not swallow the first of ours.
          if (hasNotes) await writeAtomic(notesPath, head, 0o644, { flush: false });
          notes = await open(notesPath, 'a', 0o644);
          await notes.appendFile(hasNotes ? makeNoteLines(ranges) : head + makeNoteLines(ranges));
          hasNotes = true;
        } else await notes.appendFile(makeNoteLines(ranges));
      }),
    restart: async () => {
      found = [];
      await restart();
    },
    complete: () =>
      guard('finish', async () => {
        await flushing;
        if (flushFailure !== undefined) throw flushFailure.error;
        if (sync) await file.sync();
        await file.close();
        await notes?.close();
        await rename(partPath, path);
        if (hasNotes) await removeFile(notesPath);
        if (sync) await syncFolder(dirname(path));
      }),
    close: async (discard) => {
      const isEmpty = await file.stat().then(
        ({ size }) => size === 0,
        () => false,
      );
      await flushing;
      await file.close().catch(() => {});
      await notes?.close().catch(() => {});
      if (!discard && !isEmpty) return;
      await removeFile(partPath).catch(() => {});
      await removeFile(notesPath).catch(() => {});
    },
  };
}

/** What an earlier process left; undefined where that is nothing. */
async function readFound(
  notesPath: string,
  file: FileHandle,
  identity: PartIdentity,
  logger: Logger,
): Promise<{ readonly ranges: readonly Range[]; readonly hasNotes: boolean } | undefined> {
  const [text, { size }] = await Promise.all([readTextIfPresent(notesPath), file.stat()]);
  if (text === undefined) return size === 0 ? undefined : { ranges: [], hasNotes: false };
  const ranges = parseNotes(text, identity);
  if (ranges?.every((range) => range.end <= size)) return { ranges, hasNotes: true };
  logger.warn('notes of a part file are damaged or of another blob; starting afresh', { path: notesPath });
  return { ranges: [], hasNotes: true };
}

/** A rename lasts when its folder is flushed. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function without(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const cut = Math.min(skip, buffer.length);
    skip -= cut;
    return cut === buffer.length ? [] : [buffer.subarray(cut)];
  });
}
