import { formatReference, parseReference, taggedOnly } from '../../registry/reference.js';
import type { Platform } from '../../registry/types.js';
import { choosePlatform, parsePlatform } from '../copy/choose-platform.js';
import type { LockedDigests } from '../copy/resolve.js';
import type { ImageLock, LockEntry, LockedPlatform } from './types.js';

/** A lock without a single image. */
export const emptyLock: ImageLock = Object.freeze({ version: 1, images: Object.freeze({}) });

/**
 * The key that a reference has in a lock: its full canonical form, `latest` where it names no tag, less the digest
 * where a tag names it. Throws `InvalidConfig`.
 */
export function lockKey(reference: string): string {
  const parsed = parseReference(reference);
  return formatReference(taggedOnly(parsed) ?? parsed);
}

/** What the lock says of a reference; undefined where it says nothing. Throws `InvalidConfig` for a malformed one. */
export function lockedImage(lock: ImageLock | undefined, reference: string): LockEntry | undefined {
  const key = lockKey(reference);
  return lock && Object.hasOwn(lock.images, key) ? lock.images[key] : undefined;
}

/** The entry's platform for a machine, chosen as from an index. Undefined where it has none. */
export function lockedPlatform(entry: LockEntry, platform: Platform): LockedPlatform | undefined {
  const offered = Object.entries(entry.platforms).map(([name, { manifest }]) => ({
    mediaType: '',
    digest: manifest,
    size: 0,
    platform: parsePlatform(name),
  }));
  const chosen = choosePlatform(offered, platform);
  return Object.values(entry.platforms).find(({ manifest }) => manifest === chosen?.digest);
}

/** What `resolveImage` wants of a lock. */
export function lockedDigests(lock: ImageLock): LockedDigests {
  return { digestOf: (reference) => lockedImage(lock, reference)?.digest };
}

/** True where the digest is one that the entry names: of the index or of a platform's manifest. */
export function lockAllows(entry: LockEntry, digest: string): boolean {
  return digest === entry.digest || Object.values(entry.platforms).some(({ manifest }) => manifest === digest);
}
