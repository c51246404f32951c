import { join } from 'node:path';
import { HyperupError } from '../../base/errors.js';
import { writeAtomic } from '../../base/files.js';
import type { ManifestContent } from '../../registry/types.js';
import { type BlobStore, openBlobStore, workFolder } from './blob-store.js';
import { parseManifest } from './image-manifest.js';
import { openLayoutFolder } from './layout-folder.js';
import {
  checkLayoutFile,
  emptyLayoutIndex,
  type LayoutEntry,
  layoutFile,
  makeEntry,
  maxIndexBytes,
  mergeEntries,
  parseLayoutIndex,
} from './layout-index.js';
import { takeLock } from './lock-file.js';
import type { ContentDeps, ImageWriter } from './types.js';

/** How long another process may hold `index.json`, milliseconds; its change takes a few. */
const lockWaitMs = 30_000;

/**
 * A layout folder to write images into, made where it is absent. What is in it stays, and blobs are shared; a name that
 * is there already goes over to the new image at `commit`, in one step, also with other processes at work. `abort`
 * leaves blobs that were right and what was staged, so that a later run goes on from there.
 */
export async function openOciLayoutWriter(path: string, deps: Pick<ContentDeps, 'clock'>): Promise<ImageWriter> {
  const store = await openBlobStore(path, deps.clock);
  await readIndex(path);
  const entries: LayoutEntry[] = [];
  return {
    name: `oci:${path}`,
    accepts: { index: true, oci: true, docker: false },
    hasBlob: (blob) => store.has(blob),
    putBlob: (blob, content, signal) => store.put(blob, content, signal),
    stagingPath: (blob) => store.stagingPath(blob),
    adoptBlob: (blob) => store.adopt(blob),
    putManifest: async (manifest, reference) => {
      await putLayoutManifest(store, path, manifest);
      if (reference !== undefined) entries.push(makeEntry(manifest, reference));
    },
    commit: async () => {
      if (entries.length > 0) {
        const release = await takeLock(join(path, workFolder, 'lock'), deps.clock, lockWaitMs);
        try {
          const { index, hasLayoutFile } = await readIndex(path);
          if (!hasLayoutFile) await writeAtomic(join(path, 'oci-layout'), layoutFile);
          await writeAtomic(join(path, 'index.json'), `${JSON.stringify(mergeEntries(index, entries))}\n`);
        } finally {
          await release();
        }
      }
      await store.clean();
    },
    abort: () => store.cleanTemporary().catch(() => {}),
  };
}

/**
 * Puts a manifest among the blobs. `NotFound` where a blob of the image isn't there; the images of an index may be
 * fewer than it names, and layers that are not for distribution may be absent. Gives the digests and sizes of what the
 * image has in the layout.
 */
export async function putLayoutManifest(
  store: BlobStore,
  path: string,
  manifest: ManifestContent,
): Promise<ReadonlyMap<string, number>> {
  const action = `write manifest ${manifest.digest} to ${path}`;
  const parsed = parseManifest(manifest.bytes, action);
  const there = new Map([[manifest.digest, manifest.bytes.length]]);
  for (const blob of parsed.kind === 'image' ? [parsed.config, ...parsed.layers] : []) {
    if (await store.has(blob)) there.set(blob.digest, blob.size);
    else if (!blob.urls?.length) throw new HyperupError('NotFound', `${action}: blob ${blob.digest} is missing`);
  }
  await store.putBytes(manifest.digest, manifest.bytes);
  return there;
}

async function readIndex(path: string) {
  const files = await openLayoutFolder(path);
  const layout = await files.read('oci-layout', 4096);
  if (layout !== undefined) checkLayoutFile(layout, `read ${path}: "oci-layout"`);
  const bytes = await files.read('index.json', maxIndexBytes);
  const index = bytes === undefined ? emptyLayoutIndex : parseLayoutIndex(bytes, `read ${path}: "index.json"`);
  return { index, hasLayoutFile: layout !== undefined };
}
