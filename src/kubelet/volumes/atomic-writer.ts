import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';

/** One file of a volume. */
export interface FileProjection {
  readonly data: Uint8Array;
  readonly mode: number;
  /** Its owner where that isn't root. */
  readonly fsUser?: number | undefined;
}

/** A volume's files by their path in it. */
export type Payload = ReadonlyMap<string, FileProjection>;

export interface WriteOptions {
  /** Names the new folder, milliseconds. */
  readonly nowMs: number;
  /** Called once all is written and nothing is visible yet; gives the files to a group. */
  readonly beforeSwitch?: (() => Promise<void>) | undefined;
}

const dataLink = '..data';
const newDataLink = '..data_tmp';
const maxNameLength = 255;
const maxPathLength = 4096;

/**
 * Makes a folder show exactly these files, all at once: they stand in a folder of their own to which `..data` points,
 * and the visible names point through `..data`. Gives false where nothing had changed. One call a folder at a time.
 * Throws `InvalidConfig` for a path that would leave the folder, and system errors (v1.20
 * `pkg/volume/util/atomic_writer.go`; the ownership before the switch as from v1.26).
 */
export async function writeAtomically(targetDir: string, payload: Payload, options: WriteOptions): Promise<boolean> {
  const files = cleanPayload(payload);
  const oldName = await readlink(join(targetDir, dataLink)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  const oldDir = oldName === undefined ? undefined : join(targetDir, basename(oldName));
  const stale = oldDir === undefined ? [] : await stalePaths(files, oldDir);
  if (oldDir !== undefined && stale.length === 0 && !(await differs(files, oldDir))) return false;

  const newDir = await mkdtemp(join(targetDir, `${timestampName(options.nowMs)}.`));
  try {
    await chmod(newDir, 0o755);
    await writeFiles(files, newDir);
    await linkVisibleNames(files, targetDir);
    await options.beforeSwitch?.();
    await rm(join(targetDir, newDataLink), { force: true });
    await symlink(basename(newDir), join(targetDir, newDataLink));
    await rename(join(targetDir, newDataLink), join(targetDir, dataLink));
  } catch (error) {
    await rm(newDir, { recursive: true, force: true });
    throw error;
  }
  for (const path of stale) if (!path.includes('/')) await unlinkVisibleName(join(targetDir, path));
  await removeOldFolders(targetDir, basename(newDir));
  return true;
}

/** True once a first payload was written into it. */
export async function hasPayload(targetDir: string): Promise<boolean> {
  try {
    await readlink(join(targetDir, dataLink));
    return true;
  } catch {
    return false;
  }
}

/** Paths made plain. Throws `InvalidConfig` with upstream's text. */
export function cleanPayload(payload: Payload): Payload {
  const clean = new Map<string, FileProjection>();
  for (const [path, file] of payload) {
    validatePath(path);
    clean.set(posix.normalize(path).replace(/\/$/, ''), file);
  }
  return clean;
}

function validatePath(path: string): void {
  const items = path.split('/');
  const [first = ''] = items;
  const fault =
    path === ''
      ? 'must not be empty: ""'
      : path.startsWith('/')
        ? `must be relative path: ${path}`
        : path.length > maxPathLength
          ? `must be less than or equal to ${maxPathLength} characters`
          : items.includes('..')
            ? `must not contain '..': ${path}`
            : items.some((item) => Buffer.byteLength(item) > maxNameLength)
              ? `filenames must be less than or equal to ${maxNameLength} characters`
              : first.startsWith('..')
                ? `must not start with '..': ${path}`
                : posix.normalize(path).replace(/\/$/, '') === '.'
                  ? `must name a file: ${path}`
                  : undefined;
  if (fault !== undefined) throw new HyperupError('InvalidConfig', `invalid path: ${fault}`, { details: { path } });
}

/** `..2020_12_31_23_59_59`, UTC. */
function timestampName(nowMs: number): string {
  return `..${new Date(nowMs).toISOString().slice(0, 19).replace(/[-T:]/g, '_')}`;
}

async function differs(files: Payload, oldDir: string): Promise<boolean> {
  for (const [path, { data }] of files) {
    try {
      const found = await readFile(join(oldDir, path));
      if (!found.equals(data)) return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'EISDIR') return true;
      throw error;
    }
  }
  return false;
}

/** What stands in the old folder and isn't, nor leads to, one of the new files. */
async function stalePaths(files: Payload, oldDir: string): Promise<readonly string[]> {
  const kept = new Set<string>();
  for (const path of files.keys()) for (let at = path; at !== '.'; at = dirname(at)) kept.add(at);
  try {
    const found = await readdir(oldDir, { recursive: true });
    return found.filter((path) => !kept.has(path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function writeFiles(files: Payload, dir: string): Promise<void> {
  for (const [path, { data, mode, fsUser }] of files) {
    const full = join(dir, path);
    if (path.includes('/')) await makeFolder(dirname(full));
    await writeFile(full, data, { mode });
    // The umask may have taken bits away.
    await chmod(full, mode);
    if (fsUser !== undefined) await chown(full, fsUser, -1);
  }
}

async function linkVisibleNames(files: Payload, targetDir: string): Promise<void> {
  const names = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of names) {
    try {
      await symlink(join(dataLink, name), join(targetDir, name));
    } catch (error) {
      // From before, or the mount point of a volume that is nested in this one.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}

async function unlinkVisibleName(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EISDIR') throw error;
  }
}

/** The one before, and those of writes that were cut short. */
async function removeOldFolders(targetDir: string, current: string): Promise<void> {
  for (const name of await readdir(targetDir)) {
    if (name !== current && /^\.\.\d{4}_\d\d_/.test(name)) {
      await rm(join(targetDir, name), { recursive: true, force: true });
    }
  }
}
