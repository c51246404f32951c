import { Readable } from 'node:stream';
import type { BundledImage, BundleManifest } from '../../src/mirror/bundle/bundle-format.js';
import { openSink } from '../../src/mirror/bundle/chunks.js';
import { makeManifest } from '../../src/mirror/bundle/image-documents.js';
import { type BundleContents, writeBundle } from '../../src/mirror/bundle/write-bundle.js';
import { sha256Of } from '../../src/mirror/content/digest.js';
import { mediaTypes } from '../../src/mirror/content/media-types.js';

/** An image of these layers, its documents and blobs by digest. */
export function builtImage(
  reference: string,
  layers: readonly Buffer[],
  role: BundledImage['role'] = 'release',
): { readonly image: BundledImage; readonly blobs: ReadonlyMap<string, Buffer> } {
  const diffIds = layers.map((layer) => sha256Of(layer));
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const listed = layers.map((layer, index) => ({
    mediaType: mediaTypes.ociLayer,
    digest: sha256Of(layer),
    size: layer.length,
    diffId: diffIds[index] ?? '',
  }));
  const manifest = makeManifest({ config: { digest: sha256Of(config), size: config.length }, layers: listed });
  const all = [manifest, config, ...layers];
  return {
    image: {
      name: reference.replace(/.*\/|:.*/g, ''),
      reference,
      role,
      manifest: { mediaType: mediaTypes.ociManifest, digest: sha256Of(manifest), size: manifest.length },
      config: { mediaType: mediaTypes.ociConfig, digest: sha256Of(config), size: config.length },
      layers: listed,
    },
    blobs: new Map(all.map((bytes) => [sha256Of(bytes), bytes])),
  };
}

/** What a bundle of these images holds; `left` names layers that only its base has. */
export function builtContents(
  built: readonly ReturnType<typeof builtImage>[],
  left: readonly string[] = [],
): BundleContents {
  const blobs = new Map(built.flatMap((one) => [...one.blobs]));
  const sized = [...blobs].map(([digest, bytes]) => ({ digest, size: bytes.length }));
  const manifest: BundleManifest = {
    format: 1,
    createdBy: 'hyperup test',
    release: 'v1.20.2',
    platform: { os: 'linux', architecture: 'amd64' },
    images: built.map(({ image }) => image),
    blobs: sized.filter(({ digest }) => !left.includes(digest)),
    ...(left.length === 0
      ? {}
      : {
          base: {
            name: 'old.tar',
            digest: sha256Of(Buffer.from('base')),
            blobs: sized.filter(({ digest }) => left.includes(digest)),
          },
        }),
  };
  return {
    manifest,
    openBlob: (digest) => Readable.from([blobs.get(digest) ?? Buffer.alloc(0)], { objectMode: false }),
  };
}

/** Two images that share a layer. */
export const sharedLayer = Buffer.alloc(3000, 'shared');
export const ownLayer = Buffer.alloc(5000, 'own');
export const twoImages = (): readonly ReturnType<typeof builtImage>[] => [
  builtImage('k8s.gcr.io/etcd:3.4.13-0', [sharedLayer, ownLayer]),
  builtImage('docker.io/library/app:1', [sharedLayer], 'user'),
];

/** Writes a bundle and gives the files that were made. */
export async function writtenBundle(
  path: string,
  contents: BundleContents,
  chunkBytes?: number,
): Promise<readonly string[]> {
  return (await writeBundle(contents, openSink(path, chunkBytes))).files;
}
