import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';

/** No pod is that long; the API server takes no object above 1.5 MiB. */
const maxBytes = 1024 * 1024;
const attempts = 3;

/** Tells a file's content from another's without reading it; nanoseconds. */
export interface FileStamp {
  readonly stamp: string;
  readonly changedAtMs: number;
}

/** Undefined where it is gone; of what a symbolic link leads to. */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  try {
    return toStamp(await stat(path, { bigint: true }));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The text of one manifest, read while nobody changed it. Throws `InvalidConfig` for what is no regular file, is too
 * large (unread) or leads out of the folder by a symbolic link; `Conflict` where it kept changing; `NotFound` where it is
 * gone.
 */
export async function readManifestFile(path: string, folder: string): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const text = await readOnce(path, folder);
    if (text !== undefined) return text;
  }
  throw new HyperupError('Conflict', 'it changes while it is read');
}

async function readOnce(path: string, folder: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    const real = await realpath(path);
    if (!real.startsWith(`${await realpath(folder)}${sep}`)) throw invalid('it leads out of the folder');
    // A pipe must not hold us, nor a link that was put there meanwhile lead us.
    file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw invalid('it is no regular file');
    if (before.size > maxBytes) throw invalid(`it has ${before.size} bytes, want at most ${maxBytes}`);
    const buffer = Buffer.alloc(Number(before.size) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    const after = await file.stat({ bigint: true });
    const now = await stampOf(path);
    if (toStamp(before).stamp !== toStamp(after).stamp || now?.stamp !== toStamp(after).stamp) return undefined;
    return length === Number(before.size) ? buffer.toString('utf8', 0, length) : undefined;
  } catch (error) {
    if (error instanceof HyperupError) throw error;
    const errno = errnoOf(error) ?? '';
    if (errno === 'ENOENT') throw new HyperupError('NotFound', 'it is gone', { cause: error });
    throw new HyperupError('InvalidConfig', `it can't be read: ${errno}`, { cause: error });
  } finally {
    await file?.close();
  }
}

function toStamp(stats: {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ctimeMs: bigint;
}): FileStamp {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return { stamp: [dev, ino, size, mtimeNs, ctimeNs].join(), changedAtMs: Number(stats.ctimeMs) };
}

function invalid(message: string): HyperupError {
  return new HyperupError('InvalidConfig', message);
}
