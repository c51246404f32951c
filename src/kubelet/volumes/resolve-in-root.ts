import { lstat, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';

/** As the kernel's. */
const maxLinks = 40;

/** A path of another root without symbolic links. */
export interface ResolvedPath {
  /** As that root sees it; the part that exists, then what is missing. */
  readonly path: string;
  /** How many of its last components don't exist. */
  readonly missing: number;
}

/**
 * Follows an absolute path component by component as it would be followed below `root` (empty: here), so that absolute
 * symbolic links stay in it. `..` of the path itself is followed too. Throws `HostChangeFailed` on a loop or where a
 * component is a file, and `PermissionDenied`.
 */
export async function resolveInRoot(root: string, path: string): Promise<ResolvedPath> {
  const left = components(path);
  let at = '/';
  let missing = 0;
  let links = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === '..') {
      if (at !== '/') missing = Math.max(0, missing - 1);
      at = dirname(at);
      continue;
    }
    const next = join(at, name);
    const target = missing > 0 ? undefined : await linkTarget(root + next);
    if (target === undefined || target === 'missing') {
      if (target === 'missing' || missing > 0) missing += 1;
      at = next;
      continue;
    }
    links += 1;
    if (links > maxLinks) throw new HyperupError('HostChangeFailed', `resolve ${path}: too many symbolic links`);
    if (target.link.startsWith('/')) at = '/';
    left.unshift(...components(target.link));
  }
  return { path: at, missing };
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

async function linkTarget(path: string): Promise<{ readonly link: string } | 'missing' | undefined> {
  try {
    const found = await lstat(path);
    return found.isSymbolicLink() ? { link: await readlink(path) } : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'missing';
    throw fileError('resolve', path, error);
  }
}
