import { constants } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { chunkBytes } from './archive-file.js';
import type { LayoutFiles } from './oci-reader.js';

/** The files of a layout that is a folder. `NotFound` where there is no such folder. */
export async function openLayoutFolder(path: string): Promise<LayoutFiles> {
  const folder = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError('read', path, error);
    throw new HyperupError('NotFound', `read ${path}: there is no such folder`, { cause: error });
  });
  if (!folder.isDirectory()) {
    throw new HyperupError('InvalidConfig', `read ${path}: it is no folder`, {
      hint: 'Write oci-archive:FILE for a layout that is packed as a tar.',
    });
  }
  return {
    path,
    read: async (member, maxBytes) => {
      const found = await openMember(path, member);
      if (!found) return undefined;
      const { file, size } = found;
      try {
        if (size <= maxBytes) return await readFile(file);
        throw new HyperupError(
          'InvalidConfig',
          `read ${path}: "${member}" has ${size} bytes, want at most ${maxBytes}`,
        );
      } finally {
        await file.close();
      }
    },
    find: async (member) => {
      const found = await openMember(path, member);
      await found?.file.close();
      if (!found) return undefined;
      return {
        size: found.size,
        open: async () => {
          const again = await openMember(path, member);
          if (!again) throw new HyperupError('NotFound', `read ${path}: "${member}" is missing`);
          return again.file.createReadStream({ highWaterMark: chunkBytes });
        },
      };
    },
    filePath: async (member) => {
      const found = await openMember(path, member);
      await found?.file.close();
      return found ? join(path, member) : undefined;
    },
    close: async () => {},
  };
}

/** Regular files only: a link could lead out of the folder, and reading a pipe may never end. */
async function openMember(folder: string, member: string): Promise<{ file: FileHandle; size: number } | undefined> {
  const action = `read ${folder}: "${member}"`;
  let file: FileHandle | undefined;
  try {
    file = await open(join(folder, member), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw new HyperupError('InvalidConfig', `${action}: it is no regular file`);
    return { file, size: found.size };
  } catch (error) {
    await file?.close();
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    if (errno === 'ELOOP')
      throw new HyperupError('InvalidConfig', `${action}: it is a symbolic link`, { cause: error });
    throw fileError('read', join(folder, member), error);
  }
}
