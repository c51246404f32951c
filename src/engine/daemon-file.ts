import { constants } from 'node:fs';
import { copyFile, rm, stat } from 'node:fs/promises';
import { errnoOf } from '../base/errors.js';
import { fileError, writeAtomic } from '../base/files.js';
import { type Host, hostPath } from '../host/host.js';

/** A daemon.json that was replaced, and the way back. */
export interface ReplacedFile {
  /** Where the former file is kept; undefined where there was none. */
  readonly backup: string | undefined;
  /** Puts the former file back (or removes the new one); the backup goes. */
  undo(): Promise<void>;
}

/**
 * Writes the file whole, with the mode of the one that was there, whose copy is kept beside it as
 * `<name>.hyperup-<n>.bak` (the first free number, so that no earlier backup is lost).
 */
export async function replaceFile(
  host: Pick<Host, 'root'>,
  path: string,
  before: string | undefined,
  after: string,
): Promise<ReplacedFile> {
  const file = hostPath(host, path);
  if (before === undefined) {
    await writeAtomic(file, after, 0o644);
    return { backup: undefined, undo: () => rm(file, { force: true }) };
  }
  const mode = (await stat(file)).mode & 0o777;
  const backup = await makeBackup(file);
  await writeAtomic(file, after, mode);
  return {
    backup: path + backup.slice(file.length),
    undo: async () => {
      await writeAtomic(file, before, mode);
      await rm(backup, { force: true });
    },
  };
}

async function makeBackup(file: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const backup = `${file}.hyperup-${n}.bak`;
    try {
      await copyFile(file, backup, constants.COPYFILE_EXCL);
      return backup;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw fileError('write', backup, error);
    }
  }
}
