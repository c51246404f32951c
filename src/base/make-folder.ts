import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from './errors.js';

/**
 * Sees to it that a folder is there, those above it too. `mode` is for what is made, less the umask. Idempotent; others
 * may be making the same. Rejects with the file system's own error.
 *
 * In place of Node's `mkdir` with `recursive`, which never ends, and keeps one of its four threads, where a file system
 * says ENOENT below a folder that is there: a path like `/proc/x` is enough (Node 20 and earlier at least).
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return await acceptFolder(path, error);
    const parent = dirname(path);
    if (parent === path) throw error;
    await makeFolder(parent, mode);
    await mkdir(path, mode).catch((again: unknown) => acceptFolder(path, again));
  }
}

/** What needs a folder that is most often there: tried first, and again once the folder is made. */
export async function withFolder<T>(folder: string, work: () => Promise<T>, mode?: number): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    if (errnoOf(cause) !== 'ENOENT') throw error;
    await makeFolder(folder, mode);
    return await work();
  }
}

/** Whatever the making said (`EEXIST`, or `EROFS` and `EACCES` from some file systems): a folder that is there is good. */
async function acceptFolder(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) throw error;
}
