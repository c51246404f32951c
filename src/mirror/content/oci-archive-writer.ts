import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import { chunkBytes } from './archive-file.js';
import { openBlobStore } from './blob-store.js';
import { type FileSink, makeFileSink } from './file-sink.js';
import { emptyLayoutIndex, type LayoutEntry, layoutFile, makeEntry, mergeEntries } from './layout-index.js';
import { takeLock } from './lock-file.js';
import { putLayoutManifest } from './oci-layout-writer.js';
import { blobFile } from './oci-reader.js';
import { makeTarHeader, tarEnd, tarPadding } from './tar-header.js';
import type { ContentDeps, ImageWriter } from './types.js';

/**
 * An OCI layout as a tar. Blobs gather in a hidden folder beside the file, `.<name>.hyperup`, which a later run goes on
 * with where this one is killed or aborted, and which `commit` removes; `commit` then writes the tar aside and renames
 * it, in place of any that was there. The same images and names give the same bytes. `Locked` where another process
 * writes the same file.
 */
export async function openOciArchiveWriter(path: string, deps: Pick<ContentDeps, 'clock'>): Promise<ImageWriter> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile()) {
    throw new HyperupError('InvalidConfig', `write ${path}: it is no regular file`, {
      hint: 'Write oci:FOLDER for a layout that is not packed.',
    });
  }
  const folder = join(dirname(path), `.${basename(path)}.hyperup`);
  await makeFolder(folder).catch((error: unknown) => {
    throw fileError('make', folder, error);
  });
  const release = await takeLock(join(folder, 'lock'), deps.clock, 0);
  const store = await openBlobStore(folder, deps.clock).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const entries: LayoutEntry[] = [];
  const members = new Map<string, number>();
  const end = async () => {
    await store.cleanTemporary().catch(() => {});
    await release().catch(() => {});
  };
  return {
    name: `oci-archive:${path}`,
    accepts: { index: true, oci: true, docker: false },
    hasBlob: (blob) => store.has(blob),
    putBlob: (blob, content, signal) => store.put(blob, content, signal),
    stagingPath: (blob) => store.stagingPath(blob),
    adoptBlob: (blob) => store.adopt(blob),
    putManifest: async (manifest, reference) => {
      for (const [digest, size] of await putLayoutManifest(store, path, manifest)) members.set(digest, size);
      if (reference !== undefined) entries.push(makeEntry(manifest, reference));
    },
    commit: async (signal) => {
      const aside = `${folder.slice(0, -'.hyperup'.length)}.${randomBytes(6).toString('hex')}`;
      try {
        const file = await open(aside, 'wx', 0o644);
        try {
          const sink = makeFileSink(file);
          await writeLayoutTar(sink, folder, members, entries, signal);
          await sink.flush();
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(aside, path);
      } catch (error) {
        await rm(aside, { force: true }).catch(() => {});
        throw fileError('write', path, error);
      }
      await release();
      await rm(folder, { recursive: true, force: true });
    },
    abort: async () => {
      await end();
      // Only where nothing is in them that a later run could use.
      for (const name of ['blobs/sha256', 'blobs', '']) await rmdir(join(folder, name)).catch(() => {});
    },
  };
}

async function writeLayoutTar(
  sink: FileSink,
  folder: string,
  members: ReadonlyMap<string, number>,
  entries: readonly LayoutEntry[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const sorted = [...entries].sort((a, b) => compare(JSON.stringify(a), JSON.stringify(b)));
  const index = Buffer.from(`${JSON.stringify(mergeEntries(emptyLayoutIndex, sorted))}\n`);
  // First what is small, so that a reader without an index finds it at once; then the blobs by digest.
  for (const [name, bytes] of [
    ['oci-layout', layoutFile],
    ['index.json', index],
  ] as const) {
    for (const part of [makeTarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]) await sink.write(part);
  }
  for (const [digest, size] of [...members].sort(([a], [b]) => compare(a, b))) {
    const name = blobFile(digest, 'write tar');
    await sink.write(makeTarHeader(name, size));
    let got = 0;
    for await (const chunk of createReadStream(join(folder, name), { highWaterMark: chunkBytes })) {
      throwIfAborted(signal, 'write archive');
      got += chunk.length;
      await sink.write(chunk);
    }
    if (got !== size) throw new HyperupError('Conflict', `write tar: ${name} has ${got} bytes, want ${size}`);
    await sink.write(tarPadding(size));
  }
  await sink.write(tarEnd());
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
