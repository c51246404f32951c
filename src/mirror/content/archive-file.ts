import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { errnoOf, HyperupError, messageOf } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import { indexTar, type TarFile, type TarIndex } from './tar-index.js';
import type { ContentDeps } from './types.js';

/** Read or written at once where contents stream. */
export const chunkBytes = 1024 * 1024;

/** A tar whose members are read where they lie. */
export interface ArchiveFile {
  /** As the user named it. */
  readonly path: string;
  readonly index: TarIndex;
  /** A member whole. `InvalidConfig` where it is longer than `maxBytes`. */
  read(member: TarFile, maxBytes: number): Promise<Buffer>;
  /** A member, or its first `length` bytes. */
  stream(member: TarFile, length?: number): Readable;
  close(): Promise<void>;
}

/** Compressions other than gzip, by their first bytes. */
const otherCompressions: readonly (readonly [string, Buffer])[] = [
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
  ['bzip2', Buffer.from('BZh')],
];

/** True where the bytes begin a gzip stream. */
export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** `zstd`, `xz` or `bzip2` where the bytes begin such a stream. */
export function foreignCompression(start: Buffer): string | undefined {
  return otherCompressions.find(([, magic]) => start.subarray(0, magic.length).equals(magic))?.[0];
}

/**
 * Opens a tar and reads its headers; one that is compressed by gzip is unpacked into `tmpDir` first, which `close`
 * removes. Errors: `NotFound`, `PermissionDenied`, `InvalidConfig` for what is no tar or could reach outside.
 */
export async function openArchive(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<ArchiveFile> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const given = await openFile(path);
    undo.push(() => given.file.close());
    const start = Buffer.alloc(8);
    await given.file.read(start, 0, start.length, 0);
    const compression = foreignCompression(start);
    if (compression !== undefined) {
      throw new HyperupError('InvalidConfig', `read ${path}: it is compressed by ${compression}, want a plain tar`, {
        hint: `Unpack it by ${compression} first.`,
      });
    }
    let { file, size } = given;
    if (isGzip(start)) {
      await makeFolder(deps.tmpDir);
      const unpacked = join(deps.tmpDir, `unpacked-${randomBytes(8).toString('hex')}.tar`);
      undo.push(() => rm(unpacked, { force: true }));
      await unpack(path, unpacked);
      const plain = await openFile(unpacked);
      undo.push(() => plain.file.close());
      ({ file, size } = plain);
    }
    const index = await indexTar(file, size, path);
    return archiveOf(path, file, index, close);
  } catch (error) {
    await close();
    throw error instanceof HyperupError ? error : fileError('read', path, error);
  }
}

function archiveOf(path: string, file: FileHandle, index: TarIndex, close: () => Promise<void>): ArchiveFile {
  return {
    path,
    index,
    read: async (member, maxBytes) => {
      if (member.size > maxBytes) {
        throw new HyperupError(
          'InvalidConfig',
          `read ${path}: member "${member.path}" has ${member.size} bytes, want at most ${maxBytes}`,
        );
      }
      const buffer = Buffer.alloc(member.size);
      let got = 0;
      while (got < buffer.length) {
        const { bytesRead } = await file.read(buffer, got, buffer.length - got, member.offset + got);
        if (bytesRead === 0) throw new HyperupError('InvalidConfig', `read ${path}: it became shorter meanwhile`);
        got += bytesRead;
      }
      return buffer;
    },
    stream: (member, length = member.size) => streamRange(file, member.offset, Math.min(length, member.size)),
    close,
  };
}

/** Bytes of an open file, which stays open: its own streams would keep it from being closed. */
export function streamRange(file: FileHandle, start: number, length: number): Readable {
  let at = start;
  const end = start + length;
  return new Readable({
    highWaterMark: 2 * chunkBytes,
    async read() {
      try {
        const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - at));
        const { bytesRead } = buffer.length === 0 ? { bytesRead: 0 } : await file.read(buffer, 0, buffer.length, at);
        at += bytesRead;
        this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead));
      } catch (error) {
        this.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      }
    },
  });
}

/** A regular file; anything else could block or never end. */
export async function openFile(path: string): Promise<{ file: FileHandle; size: number }> {
  const before = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError('read', path, error);
    throw new HyperupError('NotFound', `read ${path}: there is no such file`, { cause: error });
  });
  if (!before.isFile()) throw new HyperupError('InvalidConfig', `read ${path}: it is no regular file`);
  const file = await open(path, 'r');
  return { file, size: (await file.stat()).size };
}

async function unpack(path: string, target: string): Promise<void> {
  const source = createReadStream(path, { highWaterMark: chunkBytes });
  const plain = createWriteStream(target, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(source, createGunzip({ chunkSize: chunkBytes }), plain);
  } catch (error) {
    if (errnoOf(error)?.startsWith('Z_') !== true) throw fileError('unpack', path, error);
    throw new HyperupError('InvalidConfig', `unpack ${path}: it is damaged or cut off: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
