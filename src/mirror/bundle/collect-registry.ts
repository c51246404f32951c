import { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import type { EmitProgress } from '../../base/progress.js';
import type { Descriptor, ManifestContent, Platform, RegistryClients } from '../../registry/types.js';
import { isIndexType, parseImageConfig, parseManifest, toOciManifest } from '../content/image-manifest.js';
import { mediaTypes } from '../content/media-types.js';
import type { BlobFetcher } from '../content/types.js';
import { choosePlatform, formatPlatform } from '../copy/choose-platform.js';
import { originsOf } from '../copy/registry-reader.js';
import { type LockedDigests, resolveImage } from '../copy/resolve.js';
import type { MirrorList } from '../mirror-spec.js';
import type { BlobStage } from './blob-stage.js';
import type { CollectedImage } from './collect-archive.js';

export interface CollectRegistryOptions {
  readonly mirrors: MirrorList;
  readonly clients: RegistryClients;
  readonly fetcher: BlobFetcher;
  readonly stage: BlobStage;
  readonly platform: Platform;
  readonly lock?: LockedDigests | undefined;
  /** Layers that need not be fetched, since a delta leaves them out. */
  readonly without?: ReadonlySet<string> | undefined;
  readonly emit: EmitProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings one platform's image into the stage, with the manifest that its registry has and the layers as they are there,
 * so that its digest stays upstream's. Blobs that lie there already are not fetched again, and a fetch that was cut off
 * goes on. Throws `ImageUnavailable`, `DigestMismatch`, `Aborted`.
 */
export async function collectFromRegistry(reference: string, options: CollectRegistryOptions): Promise<CollectedImage> {
  const { clients, emit, fetcher, lock, mirrors, platform, signal, stage } = options;
  const resolved = await resolveImage(reference, mirrors, clients, { lock, emit, signal });
  const origins = originsOf(resolved);
  const manifest = await platformManifest(reference, resolved, platform, signal);
  const parsed = parseManifest(manifest.bytes, `save ${reference}`);
  if (parsed.kind === 'index')
    throw new HyperupError('ImageUnavailable', `save ${reference}: it is an index of indexes`);
  await stage.put(Readable.from([manifest.bytes]));
  const blobs = new Map([parsed.config, ...parsed.layers].map((blob) => [blob.digest, blob]));
  const totalBytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
  let currentBytes = 0;
  const tell = (bytes: number, source: string) => {
    currentBytes += bytes;
    emit({ type: 'transfer', image: reference, source, currentBytes, totalBytes });
  };
  const fetch = async (blob: Descriptor) => {
    if ((await stage.sizeOf(blob.digest)) !== undefined) tell(blob.size, 'an earlier run');
    else if (options.without?.has(blob.digest)) tell(blob.size, 'the base');
    else {
      const onBytes = (bytes: number, origin: string | undefined) => tell(bytes, origin ?? 'an earlier run');
      await fetcher.fetch({ blob, origins, path: stage.pathOf(blob.digest), signal, onBytes });
    }
  };
  await fetch(parsed.config);
  const { diffIds } = parseImageConfig(await stage.read(parsed.config.digest), `save ${reference}`);
  if (diffIds.length !== parsed.layers.length) {
    throw new HyperupError('ImageUnavailable', `save ${reference}: its config and its manifest name other layers`);
  }
  // Two at once: each is fetched over several connections already.
  const queue = [...blobs.values()].filter(({ digest }) => digest !== parsed.config.digest).values();
  const work = async () => {
    for (const layer of queue) await fetch(layer);
  };
  await Promise.all([work(), work()]);
  const oci = manifest.mediaType === mediaTypes.ociManifest ? undefined : toOciManifest(manifest);
  if (oci) await stage.put(Readable.from([oci.bytes]));
  const plain = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });
  return {
    manifest: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length },
    config: plain(parsed.config),
    ...(oci ? { oci: { mediaType: oci.mediaType, digest: oci.digest, size: oci.bytes.length } } : {}),
    layers: parsed.layers.map((layer, index) => ({ ...plain(layer), diffId: diffIds[index] ?? '' })),
  };
}

/** The platform's manifest out of an index, from whichever source has it. */
async function platformManifest(
  reference: string,
  { root, sources }: Awaited<ReturnType<typeof resolveImage>>,
  platform: Platform,
  signal: AbortSignal | undefined,
): Promise<ManifestContent> {
  if (!isIndexType(root.mediaType)) return root;
  const index = parseManifest(root.bytes, `save ${reference}`);
  const child = index.kind === 'index' ? choosePlatform(index.manifests, platform) : undefined;
  if (child === undefined) {
    throw new HyperupError('ImageUnavailable', `save ${reference}: it has nothing for ${formatPlatform(platform)}`);
  }
  let failure: unknown;
  for (const { client, reference: place } of sources) {
    try {
      return await client.getManifest(place.path, child.digest, { signal });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
