import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { makeBlockPool, release } from '../../base/block-pool.js';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';

/** Bytes that can be read at any place: a bundle's one file, or its chunks end to end. Any number of readers at once. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Fewer than `length` only at the end. */
  read(offset: number, length: number): Promise<Buffer>;
  /**
   * Reads as fast as it is drained; its chunks are lent (`base/block-pool`). Fails with `HyperupError`. The end lies at
   * the source's end where that comes first.
   */
  stream(offset: number, length: number): Readable;
  close(): Promise<void>;
}

/** One read; a stream holds two of these at most. */
const pieceBytes = 1 << 20;
const smallBytes = 256 * 1024;
const pool = makeBlockPool(pieceBytes, 4);

/** Files one behind the other as one source. Closes those that are open where one can't be opened. */
export async function openFiles(name: string, paths: readonly string[]): Promise<ByteSource> {
  const parts: { readonly path: string; readonly file: FileHandle; readonly start: number; readonly size: number }[] =
    [];
  const close = async () => {
    await Promise.all(parts.map(({ file }) => file.close().catch(() => {})));
  };
  let total = 0;
  for (const path of paths) {
    try {
      const file = await open(path, 'r');
      parts.push({ path, file, start: total, size: 0 });
      const { size } = await file.stat();
      parts[parts.length - 1] = { path, file, start: total, size };
      total += size;
    } catch (error) {
      await close();
      if (errnoOf(error) !== 'ENOENT') throw fileError('read', path, error);
      throw new HyperupError('NotFound', `read ${path}: there is no such bundle`, {
        hint: 'hyperup images save makes one.',
        cause: error,
      });
    }
  }
  const readPiece = async (offset: number, length: number): Promise<Buffer> => {
    const part = parts.find(({ start, size }) => offset >= start && offset < start + size);
    if (part === undefined) return Buffer.alloc(0);
    const wanted = Math.min(length, part.start + part.size - offset);
    // What is short isn't worth a block.
    const buffer = wanted < smallBytes ? Buffer.allocUnsafe(wanted) : pool.take();
    try {
      const { bytesRead } = await part.file.read(buffer, 0, wanted, offset - part.start);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      throw fileError('read', part.path, error);
    }
  };
  async function* pieces(offset: number, length: number): AsyncGenerator<Buffer> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const piece = await readPiece(at, Math.min(pieceBytes, end - at));
      if (piece.length === 0) return;
      at += piece.length;
      yield piece;
    }
  }
  return {
    name,
    size: total,
    read: async (offset, length) => {
      const found: Buffer[] = [];
      for await (const piece of pieces(offset, length)) found.push(piece);
      const whole = Buffer.concat(found);
      for (const piece of found) release(piece);
      return whole;
    },
    // A stream of bytes would join what waits in it, which copies it.
    stream: (offset, length) => Readable.from(pieces(offset, length), { objectMode: true, highWaterMark: 1 }),
    close,
  };
}
