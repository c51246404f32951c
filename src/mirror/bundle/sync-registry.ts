import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { EmitProgress } from '../../base/progress.js';
import { formatReference } from '../../registry/reference.js';
import type { Descriptor, Platform, RegistryClients } from '../../registry/types.js';
import { openRegistryWriter } from '../content/registry-writer.js';
import type { BlobFetcher, ImageReader, ImageWriter } from '../content/types.js';
import { copyImage } from '../copy/copy-image.js';
import { inParallel } from '../copy/in-parallel.js';
import { readManifest } from '../copy/read-manifest.js';
import { readResolved } from '../copy/registry-reader.js';
import type { ResolvedImage } from '../copy/resolve.js';
import { makeTurns, type Turns } from '../copy/turns.js';
import { makeBlobUploads } from '../copy/uploads.js';
import { walkImage } from '../copy/walk-image.js';
import { type PushedImage, type RegistryTarget, targetReference } from './push-registry.js';

/** An image that mirrors have. */
export interface SyncSource {
  /** In full, with a tag; its name at the target is made of it. */
  readonly reference: string;
  readonly resolved: ResolvedImage;
  /** What the target has under the image's name there; asked for where it is absent. */
  readonly there?: Promise<Descriptor | undefined> | undefined;
}

export interface SyncOptions {
  readonly target: RegistryTarget;
  readonly clients: RegistryClients;
  readonly platform: Platform;
  readonly fetcher: BlobFetcher;
  /** Holds what is under way; gone on with after a failure. */
  readonly cacheDir: string;
  readonly emit: EmitProgress;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface SyncedImage {
  readonly image: PushedImage;
  /** Gives it its name; until then the target has its blobs alone. Resolves when the cache is tidy too. */
  name(): Promise<void>;
}

const imagesAtOnce = 3;
/** Of one image: together not many more than those of an image that is copied alone. */
const blobsAtOnce = 3;

/**
 * Copies images of one platform from mirrors into one registry, several at once, each layer as it comes in. A blob that
 * several have moves with the first of them and is mounted for the others. None has its name when this resolves, so
 * that the caller can wait until all that belongs together is there. Errors: as `copyImage`.
 */
export async function syncToRegistry(
  sources: readonly SyncSource[],
  options: SyncOptions,
): Promise<readonly SyncedImage[]> {
  const { platform, signal } = options;
  const images = leaveToFirst(
    await Promise.all(
      sources.map(async ({ reference, resolved, there }) => {
        const reader = remembering(readResolved(resolved));
        const { blobs } = await walkImage(reader, platform, signal);
        return { reference, reader, there, digests: blobs.map(({ digest }) => digest) };
      }),
    ),
  );
  const synced = new Map<string, SyncedImage>();
  const shared: Shared = { seen: new Map(), removals: [], turns: makeTurns(options.clock) };
  try {
    await syncAll(images, synced, shared, options);
  } catch (error) {
    await Promise.all(shared.removals);
    throw error;
  }
  return sources.flatMap(({ reference }) => synced.get(reference) ?? []);
}

/** What the images of one run have in common. */
interface Shared {
  /** The repository that has a blob. */
  readonly seen: Map<string, string>;
  /** Files of the cache that are being removed. */
  readonly removals: Promise<void>[];
  readonly turns: Turns;
}

async function syncAll(
  images: readonly SharingImage[],
  synced: Map<string, SyncedImage>,
  shared: Shared,
  options: SyncOptions,
): Promise<void> {
  const { signal } = options;
  await inParallel(images, imagesAtOnce, signal, async (image, stop) => {
    synced.set(image.reference, await syncOne(image, shared, { ...options, signal: stop }));
  });
  const sharing = images.filter(({ reference, others }) => {
    return others.size > 0 && synced.get(reference)?.image.changed === true;
  });
  await inParallel(sharing, imagesAtOnce, signal, async (image, stop) => {
    const isSent = new Set(image.digests.filter((digest) => !image.others.has(digest)));
    const again = { ...image, others: isSent, isMissing: true };
    const { image: rest, name } = await syncOne(again, shared, { ...options, signal: stop });
    const movedBytes = (synced.get(image.reference)?.image.movedBytes ?? 0) + rest.movedBytes;
    synced.set(image.reference, { image: { ...rest, movedBytes }, name });
  });
}

interface ReadImage extends Pick<SyncSource, 'reference' | 'there'> {
  readonly reader: ImageReader;
  readonly digests: readonly string[];
}

interface SharingImage extends ReadImage {
  /** Blobs that are left out: those that come with an image before it. */
  readonly others: ReadonlySet<string>;
  /** The target was asked for its manifest before. */
  readonly isMissing?: boolean | undefined;
}

function leaveToFirst(images: readonly ReadImage[]): readonly SharingImage[] {
  const taken = new Set<string>();
  return images.map((image) => {
    const others = new Set(image.digests.filter((digest) => taken.has(digest)));
    for (const digest of image.digests) taken.add(digest);
    return { ...image, others };
  });
}

/** Asks for each manifest once. */
function remembering(reader: ImageReader): ImageReader {
  const known = new Map<string, ReturnType<ImageReader['getManifest']>>();
  return {
    ...reader,
    getManifest(digest = '', signal) {
      const before = known.get(digest);
      if (before !== undefined) return before;
      const work = reader.getManifest(digest === '' ? undefined : digest, signal);
      known.set(digest, work);
      return work;
    },
  };
}

async function syncOne(
  { reference, reader, there, others, isMissing = false }: SharingImage,
  { seen, removals, turns }: Shared,
  options: SyncOptions,
): Promise<SyncedImage> {
  const { target, clients, cacheDir, logger, signal } = options;
  const { scheme } = target;
  const place = targetReference(target, reference);
  const { path, tag = 'latest' } = place;
  const client = clients.clientFor(place.domain, scheme);
  const mountFrom = (digest: string) => {
    const repository = seen.get(digest);
    return repository === undefined ? [] : [repository];
  };
  const writer = await openRegistryWriter(
    formatReference(place),
    { registries: clients },
    { mountFrom, mountsFirst: isMissing, scheme },
  );
  const naming: (() => Promise<void>)[] = [];
  let changed = true;
  const nameless: ImageWriter = {
    ...writer,
    hasImage: async (manifest) => {
      if (isMissing) return false;
      const found = await (there ?? client.headManifest(path, tag, { signal }));
      changed = found?.digest !== manifest.digest;
      if (changed) return false;
      const parsed = readManifest(manifest, reference);
      if (parsed.kind === 'image') for (const { digest } of [parsed.config, ...parsed.layers]) seen.set(digest, path);
      return true;
    },
    hasBlob: async (blob) => {
      if (others.has(blob.digest)) return true;
      const has = await writer.hasBlob(blob, signal);
      seen.set(blob.digest, path);
      return has;
    },
    putManifest: async (manifest, reference) => {
      naming.push(() => writer.putManifest(manifest, reference, signal));
    },
  };
  const report = await copyImage({
    ...options,
    source: reader,
    target: nameless,
    concurrency: blobsAtOnce,
    turns,
    onRemoving: (work) => removals.push(work),
    uploads: makeBlobUploads({ client, path, stateDir: join(cacheDir, 'uploads'), logger }),
    reference: tag,
    cacheDir: join(cacheDir, 'copy'),
  });
  const { digest, bytes } = report;
  return {
    image: { reference, target: formatReference(place), digest, movedBytes: bytes.moved, changed },
    name: async () => {
      if (changed) for (const put of naming) await put();
      await Promise.all(removals);
    },
  };
}
