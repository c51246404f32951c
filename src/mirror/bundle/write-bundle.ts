import type { Readable } from 'node:stream';
import { throwIfAborted } from '../../base/errors.js';
import { sha256Of } from '../content/digest.js';
import { mediaTypes } from '../content/media-types.js';
import { makeTarHeader, tarEnd, tarPadding } from '../content/tar-header.js';
import { type BundleManifest, blobEntry, bundleEntries, formatBundleManifest } from './bundle-format.js';
import type { BundleSink } from './chunks.js';

export interface BundleContents {
  readonly manifest: BundleManifest;
  /** Opens a blob of `manifest.blobs`, exactly its bytes. */
  readonly openBlob: (digest: string) => Readable;
  readonly openKubectl?: (() => Readable) | undefined;
  readonly lock?: string | undefined;
}

export interface WrittenBundle {
  readonly files: readonly string[];
  readonly size: number;
  /** The `sha256:…` of `bundle.json`. */
  readonly digest: string;
}

export interface WriteBundleOptions {
  readonly onBytes?: ((written: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The bytes that a bundle of these contents has. */
export function bundleSize({ manifest, lock }: Pick<BundleContents, 'manifest' | 'lock'>): number {
  const filled = (size: number) => 512 + size + tarPadding(size).length;
  const texts = [
    formatBundleManifest(manifest),
    layoutText,
    indexText(manifest),
    ...(lock === undefined ? [] : [lock]),
  ];
  const kubectl = manifest.kubectl !== undefined && 'digest' in manifest.kubectl ? [manifest.kubectl.size] : [];
  const sizes = [
    ...texts.map((text) => Buffer.byteLength(text)),
    ...kubectl,
    ...manifest.blobs.map(({ size }) => size),
  ];
  return sizes.reduce((sum, size) => sum + filled(size), tarEnd().length);
}

/**
 * Writes a bundle: `bundle.json`, the OCI layout's two files, the lock, kubectl, then each blob once in the manifest's
 * order. The same contents give the same bytes. The sink is finished, or on any failure aborted.
 */
export async function writeBundle(
  contents: BundleContents,
  sink: BundleSink,
  options: WriteBundleOptions = {},
): Promise<WrittenBundle> {
  const total = bundleSize(contents);
  let written = 0;
  try {
    for await (const piece of bundleBytes(contents)) {
      throwIfAborted(options.signal, 'write the bundle');
      await sink.write(piece);
      written += piece.length;
      options.onBytes?.(written, total);
    }
    const digest = sha256Of(Buffer.from(formatBundleManifest(contents.manifest)));
    return { files: await sink.finish(), size: written, digest };
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

async function* bundleBytes({ manifest, openBlob, openKubectl, lock }: BundleContents): AsyncGenerator<Buffer> {
  yield* small(bundleEntries.manifest, formatBundleManifest(manifest));
  yield* small(bundleEntries.layout, layoutText);
  yield* small(bundleEntries.index, indexText(manifest));
  if (lock !== undefined) yield* small(bundleEntries.lock, lock);
  const { kubectl } = manifest;
  if (kubectl !== undefined && 'digest' in kubectl && openKubectl) {
    yield* large(bundleEntries.kubectl, kubectl.size, openKubectl());
  }
  for (const { digest, size } of manifest.blobs) yield* large(blobEntry(digest), size, openBlob(digest));
  yield tarEnd();
}

/** OCI image-spec 1.1, "Image Layout". */
const layoutText = '{"imageLayoutVersion":"1.0.0"}';

/** The layout's index: each image by its full reference, as skopeo takes it behind `oci-archive:FILE:`. */
function indexText({ images, platform }: BundleManifest): string {
  const manifests = images.map(({ manifest, oci, reference }) => ({
    ...(oci ?? manifest),
    platform: { architecture: platform.architecture, os: platform.os },
    annotations: { 'org.opencontainers.image.ref.name': reference },
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

function* small(name: string, text: string): Generator<Buffer> {
  const data = Buffer.from(text);
  yield makeTarHeader(name, data.length);
  yield data;
  yield tarPadding(data.length);
}

async function* large(name: string, size: number, content: Readable): AsyncGenerator<Buffer> {
  yield makeTarHeader(name, size);
  for await (const piece of content as AsyncIterable<Buffer>) yield piece;
  yield tarPadding(size);
}
