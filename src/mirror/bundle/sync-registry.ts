import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { EmitProgress } from '../../base/progress.js';
import { formatReference } from '../../registry/reference.js';
import type { Platform, RegistryClients } from '../../registry/types.js';
import { openRegistryWriter } from '../content/registry-writer.js';
import type { BlobFetcher, ImageWriter } from '../content/types.js';
import { copyImage } from '../copy/copy-image.js';
import { readManifest } from '../copy/read-manifest.js';
import { readResolved } from '../copy/registry-reader.js';
import type { ResolvedImage } from '../copy/resolve.js';
import { makeBlobUploads } from '../copy/uploads.js';
import { type PushedImage, type RegistryTarget, targetReference } from './push-registry.js';

/** An image that mirrors have. */
export interface SyncSource {
  /** In full, with a tag; its name at the target is made of it. */
  readonly reference: string;
  readonly resolved: ResolvedImage;
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
  /** Gives it its name; until then the target has its blobs alone. */
  name(): Promise<void>;
}

/**
 * Copies images of one platform from mirrors into one registry, one after the other, each layer as it comes in; blobs
 * that another of the repositories got are mounted. None has its name when this resolves, so that the caller can wait
 * until all that belongs together is there. Errors: as `copyImage`.
 */
export async function syncToRegistry(
  sources: readonly SyncSource[],
  options: SyncOptions,
): Promise<readonly SyncedImage[]> {
  /** The repository that has it. */
  const seen = new Map<string, string>();
  const synced: SyncedImage[] = [];
  for (const source of sources) synced.push(await syncOne(source, seen, options));
  return synced;
}

async function syncOne(
  { reference, resolved }: SyncSource,
  seen: Map<string, string>,
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
  const writer = await openRegistryWriter(formatReference(place), { registries: clients }, { mountFrom, scheme });
  const naming: (() => Promise<void>)[] = [];
  let changed = true;
  const nameless: ImageWriter = {
    ...writer,
    hasImage: async (manifest) => {
      changed = (await client.headManifest(path, tag, { signal }))?.digest !== manifest.digest;
      if (changed) return false;
      const parsed = readManifest(manifest, reference);
      if (parsed.kind === 'image') for (const { digest } of [parsed.config, ...parsed.layers]) seen.set(digest, path);
      return true;
    },
    hasBlob: async (blob) => {
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
    source: readResolved(resolved),
    target: nameless,
    uploads: makeBlobUploads({ client, path, stateDir: join(cacheDir, 'uploads'), logger }),
    reference: tag,
    cacheDir: join(cacheDir, 'copy'),
  });
  const { digest, bytes } = report;
  return {
    image: { reference, target: formatReference(place), digest, movedBytes: bytes.moved, changed },
    name: async () => {
      if (changed) for (const put of naming) await put();
    },
  };
}
