import type { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import { checkBytes, sha256Of } from '../content/digest.js';
import { blockSize, parseTarHeader, type RawTarHeader, tarPadding } from '../content/tar-header.js';
import {
  type BundledImage,
  type BundleManifest,
  blobEntry,
  bundleEntries,
  parseBundleManifest,
} from './bundle-format.js';
import { type ByteSource, openFiles } from './byte-source.js';
import { checkChunks, findChunks } from './chunks.js';
import { checkImage } from './image-documents.js';

/** A bundle whose structure was checked; its layers' digests are checked by whoever reads them to the end. */
export interface Bundle {
  /** As the user named it. */
  readonly name: string;
  readonly manifest: BundleManifest;
  /** Bytes of the whole archive. */
  readonly size: number;
  /** The `sha256:…` of `bundle.json`, which stands for the whole. */
  readonly digest: string;
  /** Text of `hyperup.lock`. */
  readonly lock: string | undefined;
  /** True where the blob's bytes are in it, and not only in its base. */
  hasBlob(digest: string): boolean;
  /** The image's manifest and config: small, and their digests were checked. */
  document(digest: string): Buffer | undefined;
  /** A blob, or from `start` on `length` bytes of it. Throws `NotFound`. Any number at once. */
  openBlob(digest: string, start?: number, length?: number): Readable;
  /** The kubectl that is a file of its own. */
  openKubectl(): Readable | undefined;
  close(): Promise<void>;
}

export interface OpenBundleOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A manifest or config that is larger is none: engines refuse it too. */
const documentLimit = 8 << 20;
const manifestLimit = 64 << 20;

/**
 * Opens a bundle, whole or in chunks, and checks all but the layers' bytes: that every entry is a plain file, under the
 * name and of the size that `bundle.json` announces, in its order, and that the archive ends where it should; that
 * manifests and configs have their digests and agree with `bundle.json`. Chunks are compared with their list first.
 * Nothing is unpacked, so that no name in it can lead anywhere. Throws `InvalidConfig`, `DigestMismatch`, `NotFound`.
 */
export async function openBundle(path: string, options: OpenBundleOptions = {}): Promise<Bundle> {
  const chunks = await findChunks(path);
  const paths = chunks ? await checkChunks(chunks.listPath, chunks.list, options.signal) : [path];
  const source = await openFiles(path, paths);
  try {
    return await readBundle(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readBundle(source: ByteSource): Promise<Bundle> {
  const walk = makeWalk(source);
  const first = await walk.next(bundleEntries.manifest);
  if (first.size > manifestLimit) throw badBundle(source.name, `its ${first.name} has ${first.size} bytes`);
  const manifestBytes = await source.read(first.offset, first.size);
  const manifest = parseBundleManifest(manifestBytes.toString('utf8'), source.name);
  await walk.next(bundleEntries.layout);
  await walk.next(bundleEntries.index);
  const lockEntry = manifest.lock && (await walk.next(bundleEntries.lock, manifest.lock.size));
  const program = manifest.kubectl !== undefined && 'digest' in manifest.kubectl ? manifest.kubectl : undefined;
  const kubectl = program && (await walk.next(bundleEntries.kubectl, program.size));
  const blobs = new Map<string, Place>();
  for (const { digest, size } of manifest.blobs) blobs.set(digest, await walk.next(blobEntry(digest), size));
  await walk.end();

  const documents = new Map<string, Buffer>();
  const read = async (digest: string): Promise<Buffer> => {
    const place = blobs.get(digest);
    if (place === undefined) throw badBundle(source.name, `it lacks ${digest}, which a delta has too`);
    if (place.size > documentLimit) throw badBundle(source.name, `${digest} has ${place.size} bytes, too many`);
    const bytes = await source.read(place.offset, place.size);
    checkBytes(bytes, digest, `read ${source.name}`);
    documents.set(digest, bytes);
    return bytes;
  };
  for (const image of manifest.images) await checkDocuments(source.name, image, read);
  const lock = lockEntry && (await source.read(lockEntry.offset, lockEntry.size));
  if (lock && manifest.lock) checkBytes(lock, manifest.lock.digest, `read ${source.name}`);
  return {
    name: source.name,
    manifest,
    size: source.size,
    digest: sha256Of(manifestBytes),
    lock: lock?.toString('utf8'),
    hasBlob: (digest) => blobs.has(digest),
    document: (digest) => documents.get(digest),
    openBlob: (digest, start = 0, length) => {
      const place = blobs.get(digest);
      if (place === undefined) throw new HyperupError('NotFound', `read ${source.name}: it has no blob ${digest}`);
      const rest = Math.max(0, place.size - start);
      return source.stream(place.offset + start, Math.min(rest, length ?? rest));
    },
    openKubectl: () => kubectl && source.stream(kubectl.offset, kubectl.size),
    close: () => source.close(),
  };
}

async function checkDocuments(
  name: string,
  image: BundledImage,
  read: (digest: string) => Promise<Buffer>,
): Promise<void> {
  const manifest = await read(image.manifest.digest);
  const config = await read(image.config.digest);
  const fault = checkImage(image, manifest, config);
  if (fault !== undefined) throw badBundle(name, `image ${image.reference}: ${fault}`);
}

function kindOf(flag: string): string {
  const kinds: Readonly<Record<string, string>> = { '1': 'hard link', '2': 'symbolic link', '5': 'folder' };
  return kinds[flag] ?? `tar entry of type ${JSON.stringify(flag)}`;
}

interface Place {
  readonly offset: number;
  readonly size: number;
}

/** Goes from entry to entry, each of which must be the one that is expected. */
function makeWalk(source: ByteSource) {
  let at = 0;
  let count = 0;
  const header = async (): Promise<RawTarHeader | undefined> => {
    const block = await source.read(at, blockSize);
    if (block.length < blockSize) throw truncated(source, at + blockSize);
    return parseTarHeader(block, `read ${source.name}: entry ${count + 1}`);
  };
  return {
    next: async (name: string, size?: number): Promise<Place & { readonly name: string }> => {
      const entry = await header();
      count += 1;
      if (entry === undefined) throw badBundle(source.name, `it ends before ${name}`);
      if (entry.path !== name && count === 1) {
        throw new HyperupError('InvalidConfig', `read ${source.name}: it is no bundle of hyperup images save`, {
          hint: 'hyperup images import takes what docker save wrote and OCI layouts in a tar. A bundle that was unpacked and packed again is none any more.',
        });
      }
      if (entry.path !== name) {
        throw badBundle(source.name, `entry ${count} is ${JSON.stringify(entry.path)}, want ${name}`);
      }
      if (entry.flag !== '0') throw badBundle(source.name, `entry ${name} is a ${kindOf(entry.flag)}, want a file`);
      if (size !== undefined && entry.size !== size) {
        throw badBundle(source.name, `entry ${name} has ${entry.size} bytes, want ${size}`);
      }
      const offset = at + blockSize;
      at = offset + entry.size + tarPadding(entry.size).length;
      if (at > source.size) throw truncated(source, at);
      return { name, offset, size: entry.size };
    },
    end: async (): Promise<void> => {
      const extra = await header();
      if (extra !== undefined)
        throw badBundle(source.name, `it goes on with ${JSON.stringify(extra.path)}, want its end`);
      if (source.size < at + 2 * blockSize) throw truncated(source, at + 2 * blockSize);
    },
  };
}

function truncated(source: ByteSource, wanted: number): HyperupError {
  return new HyperupError(
    'InvalidConfig',
    `read ${source.name}: it is cut short: got ${source.size} bytes, want at least ${wanted}`,
    { hint: 'Copy it again, and compare the sizes.' },
  );
}

function badBundle(name: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `read ${name}: ${reason}`, {
    hint: 'A bundle is used as hyperup images save wrote it, not unpacked and packed again.',
  });
}
