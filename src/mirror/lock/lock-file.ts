import { stat } from 'node:fs/promises';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { fileError, readTextIfPresent, writeAtomic } from '../../base/files.js';
import { formatLock, parseLock } from './lock-format.js';
import { emptyLock } from './lookup.js';
import type { ImageLock } from './types.js';

/** The name that a lock has where the user names no file, in the current folder. */
export const defaultLockName = 'hyperup.lock';

/** A thousand images with all their platforms; whatever is longer is something else. */
const maxLockBytes = 16 * 1024 * 1024;

/** The lock in a file. Throws `NotFound` where there is none, `InvalidConfig` for one that can't be read as a lock. */
export async function readLockFile(path: string): Promise<ImageLock> {
  const lock = await readLockFileIfPresent(path);
  if (lock) return lock;
  throw new HyperupError('NotFound', `read ${path}: there is no such lock`, {
    hint: 'Make it with hyperup images lock, or name another with --lock.',
    details: { path },
  });
}

/** The lock in a file, undefined where there is no file. Throws `InvalidConfig` for one that is no lock. */
export async function readLockFileIfPresent(path: string): Promise<ImageLock | undefined> {
  const size = await sizeOf(path);
  if (size === undefined) return undefined;
  if (size > maxLockBytes) {
    throw new HyperupError('InvalidConfig', `read ${path}: got ${size} bytes, want at most ${maxLockBytes} of a lock`);
  }
  const text = await readTextIfPresent(path);
  return text === undefined ? undefined : parseLock(text, path);
}

/** What an update did to one image of a lock. */
export interface LockChange {
  readonly reference: string;
  readonly change: 'added' | 'changed' | 'same' | 'removed';
  /** Digest before and after. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/**
 * `added` over `before`: entries of other images stay unless `prune`. Where an image is what it was, its entry keeps
 * source and time, so that nothing changes in the file. A platform that is known only of before stays where the digest
 * is the same. Pure.
 */
export function mergeLocks(
  before: ImageLock = emptyLock,
  added: ImageLock['images'],
  { prune }: { readonly prune: boolean },
): { readonly lock: ImageLock; readonly changes: readonly LockChange[] } {
  const images: Record<string, ImageLock['images'][string]> = prune ? {} : { ...before.images };
  const changes: LockChange[] = [];
  for (const [reference, entry] of Object.entries(added)) {
    const old = Object.hasOwn(before.images, reference) ? before.images[reference] : undefined;
    const same = old?.digest === entry.digest;
    const platforms = same ? { ...old?.platforms, ...entry.platforms } : entry.platforms;
    const grown = Object.keys(platforms).length > Object.keys(old?.platforms ?? {}).length;
    images[reference] = same && old ? { ...old, platforms } : entry;
    const change = old === undefined ? 'added' : same && !grown ? 'same' : 'changed';
    changes.push({ reference, change, before: old?.digest, after: entry.digest });
  }
  for (const [reference, { digest }] of Object.entries(before.images)) {
    if (prune && !Object.hasOwn(added, reference)) {
      changes.push({ reference, change: 'removed', before: digest, after: undefined });
    }
  }
  return { lock: { version: 1, images }, changes: changes.toSorted((a, b) => (a.reference < b.reference ? -1 : 1)) };
}

/** Writes the lock whole or not at all. Throws as `writeAtomic` does. */
export async function writeLockFile(path: string, lock: ImageLock): Promise<void> {
  await writeAtomic(path, formatLock(lock));
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
}
