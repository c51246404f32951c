import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';

/** A blob that lies in a stage. */
export interface StagedBlob {
  readonly digest: string;
  readonly size: number;
  /** Of the bytes before they were compressed here. */
  readonly plainDigest: string;
}

/** A folder of blobs on their way into a bundle, named by their digests. What lies there is whole and right. */
export interface BlobStage {
  readonly dir: string;
  /** Where that blob lies, or is to be put by rename. */
  pathOf(digest: string): string;
  sizeOf(digest: string): Promise<number | undefined>;
  /** Reads `content` to its end. With `gzip` it is kept compressed. */
  put(content: AsyncIterable<Uint8Array>, options?: { readonly gzip?: boolean | undefined }): Promise<StagedBlob>;
  /** A small one. */
  read(digest: string): Promise<Buffer>;
  open(digest: string): Readable;
  /** Takes the folder away, or leaves it for the next run to go on with. */
  remove(): Promise<void>;
}

/** The fastest level: the next ones cost half as much again for a twentieth of the size. */
const gzipLevel = 1;

/** Makes the folder, or goes on with what an earlier run has left in it. */
export async function openStage(dir: string): Promise<BlobStage> {
  const blobs = join(dir, 'blobs', 'sha256');
  await makeFolder(blobs).catch((error: unknown) => {
    throw fileError('make', blobs, error);
  });
  const pathOf = (digest: string) => {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) throw new HyperupError('InvalidConfig', `keep a blob: got digest ${digest}, want sha256`);
    return join(blobs, hex);
  };
  const put: BlobStage['put'] = async (content, { gzip = false } = {}) => {
    const aside = join(dir, `incoming-${randomBytes(6).toString('hex')}`);
    const plain = createHash('sha256');
    const kept = gzip ? createHash('sha256') : plain;
    let size = 0;
    const file = await open(aside, 'wx').catch((error: unknown) => {
      throw fileError('write', aside, error);
    });
    try {
      for await (const piece of gzip ? compressed(content, (bytes) => plain.update(bytes)) : content) {
        kept.update(piece);
        size += piece.length;
        await file.writeFile(piece).catch((error: unknown) => {
          throw fileError('write', aside, error);
        });
      }
      await file.close();
      const digest = `sha256:${kept.digest('hex')}`;
      const plainDigest = gzip ? `sha256:${plain.digest('hex')}` : digest;
      await rename(aside, pathOf(digest));
      return { digest, size, plainDigest };
    } catch (error) {
      await file.close().catch(() => {});
      await rm(aside, { force: true });
      throw error;
    }
  };
  return {
    dir,
    pathOf,
    sizeOf: (digest) =>
      stat(pathOf(digest)).then(
        ({ size }) => size,
        () => undefined,
      ),
    put,
    read: (digest) =>
      readFile(pathOf(digest)).catch((error: unknown) => {
        throw fileError('read', pathOf(digest), error);
      }),
    open: (digest) => createReadStream(pathOf(digest), { highWaterMark: 1 << 20 }),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Compresses while it is drained; `onPlain` sees the bytes before. */
async function* compressed(
  content: AsyncIterable<Uint8Array>,
  onPlain: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: gzipLevel, chunkSize: 1 << 18 });
  const seen = async function* () {
    for await (const piece of content) {
      onPlain(piece);
      yield piece;
    }
  };
  const feeding = pipeline(seen(), gzip);
  // Its failure ends the loop below too, which tells of it.
  feeding.catch(() => {});
  try {
    for await (const piece of gzip) yield piece as Buffer;
  } finally {
    gzip.destroy();
    await feeding.catch(() => {});
  }
}
