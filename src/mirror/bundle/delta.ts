import { open } from 'node:fs/promises';
import { HyperupError, isHyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import type { Platform } from '../../registry/types.js';
import { sha256Of } from '../content/digest.js';
import { parseLock } from '../lock/lock-format.js';
import { lockedPlatform } from '../lock/lookup.js';
import { parseBundleManifest, type SizedDigest } from './bundle-format.js';
import { openBundle } from './open-bundle.js';

/** What a delta may leave out. */
export interface DeltaBase {
  readonly name: string;
  /** Of the lock, or of the bundle's `bundle.json`. */
  readonly digest: string;
  readonly layers: ReadonlySet<string>;
}

/**
 * Reads what `--since` names: an earlier bundle (whole or in chunks), its `bundle.json`, or a `hyperup.lock`. Of a lock
 * only entries with their layers count. Throws `InvalidConfig` where it is none of these, or where nothing in it is of
 * that platform.
 */
export async function readDeltaBase(path: string, name: string, platform: Platform): Promise<DeltaBase> {
  const text = path.endsWith('.chunks.json') ? undefined : await readSmall(path);
  if (text === undefined) {
    const bundle = await openBundle(path);
    await bundle.close();
    return fromManifest(name, bundle.digest, bundle.manifest, platform);
  }
  if (/"format"\s*:/.test(text.slice(0, 200))) {
    const manifest = parseBundleManifest(text, path);
    return fromManifest(name, sha256Of(Buffer.from(text)), manifest, platform);
  }
  const lock = parseLock(text, path);
  const layers = Object.values(lock.images).flatMap((entry) => lockedPlatform(entry, platform)?.layers ?? []);
  if (layers.length === 0) {
    throw new HyperupError(
      'InvalidConfig',
      `read ${path}: it names no layers for ${platform.os}/${platform.architecture}`,
      {
        hint: 'Name the earlier bundle itself, or a lock that hyperup images save or lock wrote.',
      },
    );
  }
  return { name, digest: sha256Of(Buffer.from(text)), layers: new Set(layers) };
}

function fromManifest(
  name: string,
  digest: string,
  { images, platform }: ReturnType<typeof parseBundleManifest>,
  wanted: Platform,
): DeltaBase {
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) {
    const [got, want] = [platform, wanted].map(({ os, architecture }) => `${os}/${architecture}`);
    throw new HyperupError('InvalidConfig', `read ${name}: it is for ${got}, want ${want}`);
  }
  return { name, digest, layers: new Set(images.flatMap(({ layers }) => layers.map((layer) => layer.digest))) };
}

/** Which of the blobs stay out: layers alone, since manifests and configs are small and say what is missing. */
export function splitDelta(
  blobs: readonly SizedDigest[],
  layers: ReadonlySet<string>,
  base: DeltaBase | undefined,
): { readonly kept: readonly SizedDigest[]; readonly left: readonly SizedDigest[] } {
  const isLeft = ({ digest }: SizedDigest) => layers.has(digest) && (base?.layers.has(digest) ?? false);
  return { kept: blobs.filter((blob) => !isLeft(blob)), left: blobs.filter(isLeft) };
}

/** The text of a file that begins as JSON does; undefined for any other, which may be huge. */
async function readSmall(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(16), 0, 16, 0);
      if (!buffer.toString('utf8', 0, bytesRead).trimStart().startsWith('{')) return undefined;
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    const known = fileError('read', path, error);
    // Chunks have no file of the bundle's own name; openBundle looks for them.
    if (isHyperupError(known, 'NotFound')) return undefined;
    throw known;
  }
}
