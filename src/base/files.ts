import { randomBytes } from 'node:crypto';
import { chmod, chown, open, readFile, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, HyperupError, messageOf } from './errors.js';
import { makeFolder } from './make-folder.js';

/**
 * Writes a whole file or nothing: a temporary file beside it, flushed, then renamed. The folder is made if absent; a
 * symbolic link is written through; an existing file keeps its owner. The temporary name begins with a dot, which is
 * what a kubelet that watches the folder passes over (`pkg/kubelet/config/file_linux.go`); no library offers that. Not
 * flushed, it is whole after kill -9, and perhaps empty after a power failure.
 */
export async function writeAtomic(
  path: string,
  data: string | Uint8Array,
  mode = 0o644,
  { flush = true }: { readonly flush?: boolean } = {},
): Promise<void> {
  let aside: string | undefined;
  try {
    await makeFolder(dirname(path));
    const target = await realpath(path).catch(() => path);
    const before = await stat(target).catch(() => undefined);
    aside = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
    const file = await open(aside, 'wx', mode);
    try {
      await file.writeFile(data);
      if (flush) await file.sync();
    } finally {
      await file.close();
    }
    // The umask may have taken bits away.
    await chmod(aside, mode);
    if (before && (before.uid !== process.getuid?.() || before.gid !== process.getgid?.())) {
      await chown(aside, before.uid, before.gid);
    }
    await rename(aside, target);
  } catch (error) {
    if (aside !== undefined) await rm(aside, { force: true }).catch(() => {});
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

/** Removes a file that may be gone already. Rejects with the file system's own error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
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
    ENOTDIR: 'A part of that path is a file: choose another path.',
    EISDIR: 'That is a folder: choose the path of a file.',
  };
  const hint = errno === undefined ? undefined : hints[errno];
  return new HyperupError(
    errno === 'EACCES' || errno === 'EPERM' ? 'PermissionDenied' : errno === 'ENOENT' ? 'NotFound' : 'HostChangeFailed',
    `${action} ${path}: ${messageOf(error)}`,
    { cause: error, details: { path, errno }, ...(hint ? { hint } : {}) },
  );
}
