import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import { errnoOf, HyperupError, isHyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import type { Descriptor } from '../../registry/types.js';
import { checkBytes, mismatch, parseDigest, verifiedChunks } from './digest.js';
import { makeFileSink } from './file-sink.js';
import { isProcessAlive } from './lock-file.js';
import { blobFile } from './oci-reader.js';

/** Where blobs are built up, inside the layout so that a rename puts them in place. */
export const workFolder = '.hyperup';
/** Blobs up to here are hashed when they are found in place. */
const cheapBytes = 1024 * 1024;
/** What a run that was killed left, and nobody has gone on with since. */
const leftoverMs = 7 * 24 * 60 * 60_000;
const markPrefix = 'in-use-';
const maxMarkTries = 20;

/** The blobs of a layout folder. Wrong ones are never put in place; right ones stay, whatever becomes of the image. */
export interface BlobStore {
  has(blob: Descriptor): Promise<boolean>;
  put(blob: Descriptor, content: Readable, signal?: AbortSignal): Promise<void>;
  putBytes(digest: string, bytes: Buffer): Promise<void>;
  stagingPath(blob: Descriptor): string;
  adopt(blob: Descriptor): Promise<void>;
  /** Removes what this store staged, and old leftovers; with it the work folder, where nothing else is in it. */
  clean(): Promise<void>;
  /** The same but for what was staged for a later run to go on with. */
  cleanTemporary(): Promise<void>;
}

/** Makes the folders where they are absent. `InvalidConfig` where a link in their place leads elsewhere. */
export async function openBlobStore(root: string, clock: Clock): Promise<BlobStore> {
  for (const folder of [root, ...['blobs', 'blobs/sha256', workFolder].map((name) => join(root, name))]) {
    await ensureFolder(folder, folder === root);
  }
  const work = join(root, workFolder);
  const mark = await markUse(work);
  const staged = new Set<string>();
  const temporary = new Set<string>();
  const placeOf = (digest: string) => join(root, blobFile(digest, `write ${root}`));
  const stagingName = (blob: Descriptor) => {
    const { algorithm, hex } = parseDigest(blob.digest, `write ${root}`);
    return `${algorithm}-${hex}`;
  };
  const place = async (from: string, digest: string) => {
    const target = placeOf(digest);
    if (!digest.startsWith('sha256:')) await ensureFolder(join(target, '..'), false);
    await rename(from, target);
  };
  /** Writes beside, then puts in place. */
  const build = async (digest: string, chunks: AsyncIterable<Buffer> | readonly Buffer[]) => {
    const path = join(work, `new-${randomBytes(8).toString('hex')}`);
    temporary.add(path);
    try {
      const file = await open(path, 'wx', 0o644);
      try {
        const sink = makeFileSink(file);
        for await (const chunk of chunks) await sink.write(chunk);
        await sink.flush();
        await file.sync();
      } finally {
        await file.close();
      }
      await place(path, digest);
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw fileError('write', placeOf(digest), error);
    } finally {
      temporary.delete(path);
    }
  };
  const cleanTemporary = async () => {
    for (const path of [...temporary, mark]) await rm(path, { force: true });
    await rmdir(work).catch(() => {});
  };
  return {
    has: async (blob) => {
      const path = placeOf(blob.digest);
      const found = await lstat(path).catch(() => undefined);
      if (!found?.isFile() || found.size !== blob.size) return false;
      if (blob.size > cheapBytes) return true;
      try {
        checkBytes(await readFile(path), blob.digest, `check ${path}`);
        return true;
      } catch (error) {
        if (isHyperupError(error, 'DigestMismatch')) return false;
        throw fileError('read', path, error);
      }
    },
    put: async (blob, content, signal) =>
      build(blob.digest, verifiedChunks(blob, content, `write ${placeOf(blob.digest)}`, signal)),
    putBytes: async (digest, bytes) => {
      checkBytes(bytes, digest, `write ${placeOf(digest)}`);
      await build(digest, [bytes]);
    },
    stagingPath: (blob) => {
      const name = stagingName(blob);
      staged.add(name);
      return join(work, name);
    },
    adopt: async (blob) => {
      const path = join(work, stagingName(blob));
      const found = await lstat(path).catch((error: unknown) => {
        throw fileError('adopt', path, error);
      });
      if (!found.isFile() || found.size !== blob.size)
        throw mismatch(`adopt ${path}`, `${found.size} bytes, want ${blob.size}`);
      await place(path, blob.digest).catch((error: unknown) => {
        throw fileError('write', placeOf(blob.digest), error);
      });
    },
    cleanTemporary,
    clean: async () => {
      for (const name of await readdir(work).catch(() => [])) {
        const isMine = [...staged].some((mine) => name === mine || name.startsWith(`${mine}.`));
        if (isMine || isAbandonedMark(name) || (await isLeftover(join(work, name), clock))) {
          await rm(join(work, name), { recursive: true, force: true });
        }
      }
      await cleanTemporary();
    },
  };
}

/**
 * Puts a file into the work folder that keeps others, when they have done, from removing the folder as empty. Its name
 * has the process in it.
 */
async function markUse(work: string): Promise<string> {
  const mark = join(work, `${markPrefix}${process.pid}-${randomBytes(6).toString('hex')}`);
  for (let tries = 1; ; tries += 1) {
    try {
      await makeFolder(work);
      await writeFile(mark, '');
      return mark;
    } catch (error) {
      // Another one removed it between the two calls.
      if (errnoOf(error) !== 'ENOENT' || tries === maxMarkTries) throw fileError('write', mark, error);
    }
  }
}

function isAbandonedMark(name: string): boolean {
  const pid = name.startsWith(markPrefix) ? Number.parseInt(name.slice(markPrefix.length), 10) : Number.NaN;
  return Number.isInteger(pid) && !isProcessAlive(pid);
}

async function isLeftover(path: string, clock: Clock): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && clock.now() - found.mtimeMs > leftoverMs;
}

/** A link in a folder's place would have us write where it leads; the user's own path may be one. */
async function ensureFolder(path: string, mayBeLink: boolean): Promise<void> {
  try {
    await makeFolder(path);
    const found = await (mayBeLink ? stat(path) : lstat(path));
    if (found.isDirectory()) return;
    throw new HyperupError('InvalidConfig', `write ${path}: it is a link, want a folder`);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOTDIR') {
      throw new HyperupError('InvalidConfig', `write ${path}: a file is in the folder's place`, { cause: error });
    }
    throw fileError('make', path, error);
  }
}
