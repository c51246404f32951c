import { createHash } from 'node:crypto';
import { chmod, chown, copyFile, lstat, mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError, pathExists, writeAtomic } from '../base/files.js';
import { makeFolder } from '../base/make-folder.js';
import { backupDir, type Journal } from './journal.js';
import { isSameChange } from './journal-format.js';
import type { HostChange, JournalEntry } from './journal-types.js';

/** The standing entry about the same thing, if it was journaled before (by this run or one that was cut short). */
export function journaled(journal: Journal, change: HostChange): JournalEntry | undefined {
  return journal.entries().find((entry) => isSameChange(entry.change, change));
}

/**
 * Makes a folder and what is missing above it, each journaled first. One that is there stays as it is, unless an
 * earlier run made it: then it gets the mode. `owned`: undo removes it with all that is in it, else only when empty.
 * Gives whether it was made now. Throws `Conflict` where something else has that name.
 */
export async function ensureDirectory(journal: Journal, path: string, mode: number, owned: boolean): Promise<boolean> {
  const change: HostChange = { kind: 'directory', path, owned };
  if (await isDirectory(path)) {
    if (journaled(journal, change)) await guarded('chmod', path, () => chmod(path, mode));
    return false;
  }
  const parent = dirname(path);
  if (parent !== path) await ensureDirectory(journal, parent, 0o755, false);
  if (!journaled(journal, change)) await journal.record(change);
  await guarded('make', path, async () => {
    await mkdir(path, { mode }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    // The umask may have taken bits away.
    await chmod(path, mode);
  });
  return true;
}

/**
 * Makes a folder that is ours with all in it. In one that was there before, what comes into it and into its folders is
 * ours, and nothing else. Journaled first; running again changes nothing.
 */
export async function ensureOwnContents(journal: Journal, path: string, mode: number): Promise<void> {
  const isForeign = (await isDirectory(path)) && !journaled(journal, { kind: 'directory', path, owned: true });
  if (!isForeign) {
    await ensureDirectory(journal, path, mode, true);
    return;
  }
  if (journaled(journal, { kind: 'contents', path, existing: [] })) return;
  const entries = await guarded('list', path, () => readdir(path, { withFileTypes: true }));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  // The folder itself last: where its entry stands, those of its folders do.
  for (const folder of [...folders, path]) {
    if (journaled(journal, { kind: 'contents', path: folder, existing: [] })) continue;
    const existing = await guarded('list', folder, () => readdir(folder));
    await journal.record({ kind: 'contents', path: folder, existing });
  }
}

/**
 * Writes a whole file, journaled first, with the folders above it. A foreign file of that name is kept, with its
 * mode, owner and times, under the journal's `backup` folder; running again neither journals twice nor overwrites
 * that copy. A file that is as wanted already is left alone. Gives whether the file was written.
 */
export async function writeHostFile(
  journal: Journal,
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<boolean> {
  const wanted = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);
  const there = await fileState(path);
  if (there && there.mode === mode && there.data.equals(wanted)) return false;
  await ensureDirectory(journal, dirname(path), 0o755, false);
  if (!journaled(journal, { kind: 'file', path, backup: undefined })) {
    const backup = there ? await keepBackup(journal, path) : undefined;
    await journal.record({ kind: 'file', path, backup });
  }
  await writeAtomic(path, wanted, mode);
  await guarded('chmod', path, () => chmod(path, mode));
  return true;
}

/** Copies a file with its mode, owner and times. */
export async function copyWithAttributes(source: string, target: string): Promise<void> {
  const attributes = await stat(source);
  await copyFile(source, target);
  await chmod(target, attributes.mode & 0o7777);
  await chown(target, attributes.uid, attributes.gid);
  await utimes(target, attributes.atime, attributes.mtime);
}

async function keepBackup(journal: Journal, path: string): Promise<string> {
  const folder = backupDir(journal.dir);
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 12);
  const backup = join(folder, `${digest}-${basename(path)}`);
  await guarded('back up', path, async () => {
    await makeFolder(folder, 0o700);
    await copyWithAttributes(path, backup);
  });
  return backup;
}

async function isDirectory(path: string): Promise<boolean> {
  if (!(await pathExists(path))) {
    // A link that points nowhere would let mkdir fail with a riddle.
    const link = await lstat(path).catch(() => undefined);
    if (link) throw notDirectory(path, 'a symbolic link that points nowhere');
    return false;
  }
  const found = await guarded('stat', path, () => stat(path));
  if (!found.isDirectory()) throw notDirectory(path, 'a file');
  return true;
}

function notDirectory(path: string, found: string): HyperupError {
  return new HyperupError('Conflict', `make ${path}: want a folder, got ${found}`, {
    hint: `Move ${path} out of the way, or choose another path.`,
    details: { path },
  });
}

async function fileState(path: string): Promise<{ readonly mode: number; readonly data: Buffer } | undefined> {
  return guarded('read', path, async () => {
    try {
      return { mode: (await stat(path)).mode & 0o7777, data: await readFile(path) };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

async function guarded<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(action, path, error);
  }
}
