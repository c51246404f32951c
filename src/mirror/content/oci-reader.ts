import type { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import type { ManifestContent } from '../../registry/types.js';
import { checkBytes, parseDigest } from './digest.js';
import { manifestType, maxManifestBytes } from './image-manifest.js';
import { checkLayoutFile, type LayoutEntry, maxIndexBytes, parseLayoutIndex, selectEntry } from './layout-index.js';
import type { ImageReader } from './types.js';

/** The files of an image layout, in a folder or in a tar. Paths are `index.json`, `blobs/sha256/<hex>`. */
export interface LayoutFiles {
  /** As errors name it: the folder's or archive's path. */
  readonly path: string;
  /** Undefined where there is none; `InvalidConfig` where it is longer or no regular file. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Size in bytes and a way to open; undefined where there is none. */
  find(path: string): Promise<{ readonly size: number; open(): Promise<Readable> } | undefined>;
  /** A file of its own, where members are files. */
  filePath?(path: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Every image of a layout, by its entries in `index.json`. `InvalidConfig`, `NotFound` where it is no layout. */
export async function readLayoutEntries(files: LayoutFiles): Promise<readonly LayoutEntry[]> {
  const layout = await files.read('oci-layout', 4096);
  if (layout === undefined) {
    throw new HyperupError('InvalidConfig', `read ${files.path}: it is no OCI image layout: it has no "oci-layout"`);
  }
  checkLayoutFile(layout, `read ${files.path}: "oci-layout"`);
  const index = await files.read('index.json', maxIndexBytes);
  if (index === undefined) throw new HyperupError('InvalidConfig', `read ${files.path}: it has no "index.json"`);
  return parseLayoutIndex(index, `read ${files.path}: "index.json"`).manifests;
}

/** Where a layout keeps a blob. `InvalidConfig` for what is no digest. */
export function blobFile(digest: string, action: string): string {
  const { algorithm, hex } = parseDigest(digest, action);
  return `blobs/${algorithm}/${hex}`;
}

/** An image of a layout, `name` as `selectEntry` has it. Closes the files where there is no such image. */
export async function makeOciReader(
  transport: 'oci' | 'oci-archive',
  files: LayoutFiles,
  name: string | undefined,
): Promise<ImageReader> {
  const action = `read ${files.path}`;
  try {
    const entries = await readLayoutEntries(files);
    const root = selectEntry({ manifests: [...entries] }, name, action);
    const promised = new Map(entries.map((entry) => [entry.digest, entry.mediaType]));
    const { filePath } = files;
    return {
      name: `${transport}:${files.path}${name === undefined ? '' : `:${name}`}`,
      getManifest: (digest = root.digest) => readManifest(files, digest, promised.get(digest)),
      openBlob: async (blob) => {
        const path = blobFile(blob.digest, action);
        const found = await files.find(path);
        if (!found) throw missing(files.path, path);
        if (found.size !== blob.size) {
          throw new HyperupError('DigestMismatch', `${action}: "${path}" has ${found.size} bytes, want ${blob.size}`);
        }
        return found.open();
      },
      ...(filePath ? { blobPath: (digest: string) => filePath(blobFile(digest, action)) } : {}),
      close: () => files.close(),
    };
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function readManifest(
  files: LayoutFiles,
  digest: string,
  promised: string | undefined,
): Promise<ManifestContent> {
  const path = blobFile(digest, `read ${files.path}`);
  const action = `read ${files.path}: "${path}"`;
  const bytes = await files.read(path, maxManifestBytes);
  if (bytes === undefined) throw missing(files.path, path);
  checkBytes(bytes, digest, action);
  return { mediaType: manifestType(bytes, promised, action), digest, bytes };
}

function missing(archive: string, path: string): HyperupError {
  return new HyperupError('NotFound', `read ${archive}: "${path}" is missing`, {
    hint: 'The copy of the image is not whole: make it again.',
  });
}
