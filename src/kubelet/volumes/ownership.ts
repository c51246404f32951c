import type { Stats } from 'node:fs';
import { chmod, lchown, lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const setGid = 0o2000;

/** Whom a volume's files shall belong to. */
export interface Ownership {
  readonly fsGroup: number;
  /** Read-only volumes get no write bits. */
  readonly readOnly: boolean;
  readonly policy?: 'OnRootMismatch' | 'Always' | undefined;
}

/**
 * Gives a volume to a group, all below it first and the folder itself last, so that its own state tells whether the work
 * was finished: `g+r` or `g+rw`, folders `g+xs` too. Symbolic links stay as they are. Throws system errors
 * (v1.20 `pkg/volume/volume_linux.go`, `SetVolumeOwnership`).
 */
export async function setOwnership(path: string, ownership: Ownership): Promise<void> {
  if (ownership.policy === 'OnRootMismatch' && (await matches(path, ownership))) return;
  await change(path, await lstat(path), ownership);
}

/** The bits to add. */
function wanted(isFolder: boolean, readOnly: boolean): number {
  return (readOnly ? 0o440 : 0o660) | (isFolder ? 0o110 | setGid : 0);
}

async function matches(path: string, { fsGroup, readOnly }: Ownership): Promise<boolean> {
  const found = await stat(path);
  const bits = wanted(true, readOnly);
  return found.isDirectory() && found.gid === fsGroup && (found.mode & bits) === bits;
}

async function change(path: string, found: Stats, ownership: Ownership): Promise<void> {
  if (found.isSymbolicLink()) return;
  if (found.isDirectory()) {
    for await (const entry of await opendir(path)) {
      const below = join(path, entry.name);
      await change(below, await lstat(below), ownership);
    }
  }
  const { fsGroup, readOnly } = ownership;
  const mode = (found.mode & 0o7777) | wanted(found.isDirectory(), readOnly);
  if (found.gid !== fsGroup) await lchown(path, found.uid, fsGroup);
  // Also after a chown, which clears setuid and setgid of files.
  if (found.gid !== fsGroup || (found.mode & 0o7777) !== mode) await chmod(path, mode);
}
