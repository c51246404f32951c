import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, HyperupError, messageOf } from './errors.js';

/** Writes a whole file or nothing: a temporary file beside it, flushed, then renamed. The folder is made if absent. */
export async function writeAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, typeof data === 'string' ? data : Buffer.from(data), { mode });
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** The file's text, or undefined where there is none. Other failures throw. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
}

export async function pathExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw fileError('stat', path, error);
  }
}

/** A file-system failure in hyperup's terms, with a hint where the cause is plain. */
export function fileError(action: string, path: string, error: unknown): HyperupError {
  if (error instanceof HyperupError) return error;
  const errno = errnoOf(error);
  const hints: Record<string, string> = {
    EACCES: 'Run as root, or choose a path that you may write.',
    EPERM: 'Run as root, or choose a path that you may write.',
    EROFS: 'The file system is mounted read-only: choose another path or remount it.',
    ENOSPC: 'The disk is full: free some room, then run the command again.',
  };
  const hint = errno === undefined ? undefined : hints[errno];
  return new HyperupError(
    errno === 'EACCES' || errno === 'EPERM' ? 'PermissionDenied' : errno === 'ENOENT' ? 'NotFound' : 'HostChangeFailed',
    `${action} ${path}: ${messageOf(error)}`,
    { cause: error, details: { path, errno }, ...(hint ? { hint } : {}) },
  );
}
