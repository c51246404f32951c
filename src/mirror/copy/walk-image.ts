import { HyperupError, throwIfAborted } from '../../base/errors.js';
import type { Descriptor, ManifestContent, Platform } from '../../registry/types.js';
import type { ParsedManifest } from '../content/image-manifest.js';
import type { ImageReader } from '../content/types.js';
import { choosePlatform, formatPlatform } from './choose-platform.js';
import { readManifest } from './read-manifest.js';

/** All that makes up an image, or an index of images. */
export interface ImageTree {
  readonly root: ManifestContent;
  readonly isIndex: boolean;
  /** Each once; what a manifest names stands before it, so the root is last. */
  readonly manifests: readonly ManifestContent[];
  /** Configs and layers, each once. */
  readonly blobs: readonly Descriptor[];
}

/** More than any image has; an index that says otherwise is an attack on whoever reads it. */
const maxManifests = 1000;
const maxDepth = 4;
const manifestsAtOnce = 6;

/**
 * Reads an image's manifests from the root down. For one platform an index is left out and its one image is the root;
 * an image that is no index is taken as it is. `root`: what the reader's name stands for, where it is known already.
 * Errors: `NotFound` where the index has nothing for the platform, `ImageUnavailable` for manifests that can't be read
 * or contradict each other, and the reader's own.
 */
export async function walkImage(
  reader: Pick<ImageReader, 'name' | 'getManifest'>,
  platform: 'all' | Platform,
  signal?: AbortSignal,
): Promise<ImageTree> {
  let root = await reader.getManifest(undefined, signal);
  let parsed = readManifest(root, reader.name);
  for (let depth = 0; parsed.kind === 'index' && platform !== 'all'; depth += 1) {
    if (depth === maxDepth) throw tooMuch(reader.name, `indexes nested deeper than ${maxDepth}`);
    root = await reader.getManifest(choose(parsed.manifests, platform, reader.name).digest, signal);
    parsed = readManifest(root, reader.name);
  }
  const collected = new Collected(reader.name);
  await collect(root, parsed, 0, { reader, signal, collected });
  return {
    root,
    isIndex: parsed.kind === 'index',
    manifests: collected.manifests,
    blobs: [...collected.blobs.values()],
  };
}

function choose(manifests: readonly Descriptor[], platform: Platform, name: string): Descriptor {
  const chosen = choosePlatform(manifests, platform);
  if (chosen !== undefined) return chosen;
  const offered = manifests.flatMap((each) => (each.platform ? [formatPlatform(each.platform)] : []));
  const known = offered.filter((each) => !each.startsWith('unknown/'));
  throw new HyperupError(
    'NotFound',
    `find ${formatPlatform(platform)} in ${name}: it has only ${known.join(', ') || 'nothing'}`,
    {
      hint: 'Choose one of those with --platform, or copy them all with --all.',
      details: { platform: formatPlatform(platform), offered: known },
    },
  );
}

class Collected {
  readonly manifests: ManifestContent[] = [];
  readonly blobs = new Map<string, Descriptor>();
  readonly seen = new Set<string>();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  addBlob(blob: Descriptor): void {
    const before = this.blobs.get(blob.digest);
    if (before !== undefined && before.size !== blob.size) {
      throw new HyperupError(
        'ImageUnavailable',
        `read ${this.#name}: ${blob.digest} has ${before.size} bytes by one manifest, ${blob.size} by another`,
      );
    }
    // One that may be had from the registry is had from there, whatever else says it is foreign.
    if (before === undefined || before.urls !== undefined) this.blobs.set(blob.digest, blob);
  }
}

interface Walk {
  readonly reader: Pick<ImageReader, 'name' | 'getManifest'>;
  readonly signal: AbortSignal | undefined;
  readonly collected: Collected;
}

async function collect(content: ManifestContent, parsed: ParsedManifest, depth: number, walk: Walk): Promise<void> {
  const { reader, signal, collected } = walk;
  if (collected.seen.has(content.digest)) return;
  collected.seen.add(content.digest);
  if (parsed.kind === 'image') {
    for (const blob of [parsed.config, ...parsed.layers]) collected.addBlob(blob);
  } else {
    if (depth === maxDepth) throw tooMuch(reader.name, `indexes nested deeper than ${maxDepth}`);
    const digests = new Set(parsed.manifests.map(({ digest }) => digest));
    const children = [...digests].filter((digest) => !collected.seen.has(digest));
    if (children.length + collected.seen.size > maxManifests)
      throw tooMuch(reader.name, `over ${maxManifests} manifests`);
    for (let at = 0; at < children.length; at += manifestsAtOnce) {
      throwIfAborted(signal, `read ${reader.name}`);
      const some = children.slice(at, at + manifestsAtOnce);
      const read = await Promise.all(some.map((digest) => reader.getManifest(digest, signal)));
      for (const child of read) await collect(child, readManifest(child, reader.name), depth + 1, walk);
    }
  }
  collected.manifests.push(content);
}

function tooMuch(name: string, what: string): HyperupError {
  return new HyperupError('ImageUnavailable', `read ${name}: ${what}: this is no image that can be copied`);
}
