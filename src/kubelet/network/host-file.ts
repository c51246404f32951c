import { lstat, readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errnoOf } from '../../base/errors.js';
import { fileError } from '../../base/files.js';

/** As the kernel's. */
const maxLinks = 40;

/**
 * Where a file of the host's is opened from here, its symbolic links followed below `hostRoot`: an absolute one would
 * lead to this container's own file otherwise. A file that isn't there keeps its path. Throws `PermissionDenied` or
 * `HostChangeFailed`.
 */
export async function hostFile(hostRoot: string, path: string): Promise<string> {
  if (hostRoot === '') return path;
  let at = path;
  for (let links = 0; links < maxLinks; links += 1) {
    try {
      if (!(await lstat(`${hostRoot}${at}`)).isSymbolicLink()) break;
      at = resolve(dirname(at), await readlink(`${hostRoot}${at}`));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') break;
      throw fileError('resolve', at, error);
    }
  }
  return `${hostRoot}${at}`;
}
