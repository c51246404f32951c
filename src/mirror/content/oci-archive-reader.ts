import { openArchive } from './archive-file.js';
import { type LayoutFiles, makeOciReader } from './oci-reader.js';
import type { ContentDeps, ImageReader } from './types.js';

/** The files of a layout that is a tar, read where they lie. Errors as `openArchive`. */
export async function openLayoutArchive(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<LayoutFiles> {
  const archive = await openArchive(path, deps);
  return {
    path,
    read: async (member, maxBytes) => {
      const found = archive.index.find(member);
      return found && archive.read(found, maxBytes);
    },
    find: async (member) => {
      const found = archive.index.find(member);
      return found && { size: found.size, open: async () => archive.stream(found) };
    },
    close: () => archive.close(),
  };
}

/** An image of an OCI layout in a tar; without a name, its only image. Nothing is unpacked but gzip. */
export async function openOciArchiveReader(
  path: string,
  name: string | undefined,
  deps: Pick<ContentDeps, 'tmpDir'>,
): Promise<ImageReader> {
  return makeOciReader('oci-archive', await openLayoutArchive(path, deps), name);
}
