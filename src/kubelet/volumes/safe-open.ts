import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises';
import { HyperupError } from '../../base/errors.js';
import { isAtOrUnder } from '../../host/mountinfo.js';

/** A handle that names a file without opening it: no FIFO blocks and no device acts. Not among Node's constants. */
const pathOnly = 0o10000000;

/**
 * Opens what a path without symbolic links leads to, step by step from its base, never through a link: whoever may write
 * in the base can't lead this out of it, at whatever time they swap folders for links. The caller closes the handle.
 * Throws `PermissionDenied` for a path outside the base or with a link in it, and system errors (v1.20
 * `pkg/volume/util/subpath/subpath_linux.go`, `doSafeOpen`).
 */
export async function openInside(root: string, base: string, path: string): Promise<FileHandle> {
  return walk(root, base, path, (parent, name) => openChild(parent, name));
}

/**
 * As `openInside`, making folders that are missing below what exists; the last one made gets that mode, whatever the
 * umask. Gives nothing: the folder is opened again by whoever uses it.
 */
export async function makeFoldersInside(
  root: string,
  base: string,
  path: string,
  missing: number,
  mode: number,
): Promise<void> {
  const total = stepsOf(base, path).length;
  let step = 0;
  const handle = await walk(root, base, path, async (parent, name) => {
    step += 1;
    if (step > total - missing) await mkdir(handlePath(parent, name), { mode });
    return openChild(parent, name);
  });
  try {
    if (missing > 0) await chmod(handlePath(handle), mode);
  } finally {
    await handle.close();
  }
}

/** A path by which this process reaches what the handle names, also after it was moved. */
export function handlePath(handle: FileHandle, name?: string): string {
  return `/proc/self/fd/${handle.fd}${name === undefined ? '' : `/${name}`}`;
}

function stepsOf(base: string, path: string): readonly string[] {
  if (!isAtOrUnder(path, base)) {
    throw new HyperupError('PermissionDenied', `path ${path} is outside of allowed base ${base}`);
  }
  return path
    .slice(base.length)
    .split('/')
    .filter((name) => name !== '');
}

async function walk(
  root: string,
  base: string,
  path: string,
  next: (parent: FileHandle, name: string) => Promise<FileHandle>,
): Promise<FileHandle> {
  const steps = stepsOf(base, path);
  let at = await open(root + base, pathOnly | constants.O_NOFOLLOW);
  try {
    for (const name of steps) {
      const child = await next(at, name);
      await at.close();
      at = child;
    }
    return at;
  } catch (error) {
    await at.close();
    throw error;
  }
}

async function openChild(parent: FileHandle, name: string): Promise<FileHandle> {
  const child = await open(handlePath(parent, name), pathOnly | constants.O_NOFOLLOW);
  // With these two flags a link itself is opened instead of refused.
  if ((await child.stat()).isSymbolicLink()) {
    await child.close();
    throw new HyperupError('PermissionDenied', `unexpected symlink found: ${name}`);
  }
  return child;
}
