import { access, chmod, chown, constants, mkdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError, pathExists, readTextIfPresent, writeAtomic } from '../base/files.js';
import { formatKubeconfig, type Kubeconfig, parseKubeconfig } from './kubeconfig.js';
import { backUpKubeconfig, settleBackups } from './kubeconfig-backup.js';
import {
  foreignEntryNames,
  isEmptyKubeconfig,
  mergeEntries,
  removeEntries,
  sameKubeconfig,
} from './kubeconfig-entries.js';
import { type KubeconfigLockOptions, withKubeconfigLock } from './kubeconfig-lock.js';

export interface MergeKubeconfigOptions extends KubeconfigLockOptions {
  /** The user's file; a symbolic link is followed. */
  readonly path: string;
  /** The cluster's name: cluster, user and context are called so and marked with it. */
  readonly entryName: string;
  /** From `buildKubeconfig`, under the same name. */
  readonly config: Kubeconfig;
  /** Default true. */
  readonly setCurrent?: boolean | undefined;
}

export interface MergedFile {
  /** There was no file. */
  readonly created: boolean;
  /** False where the file said all that already; then it was not written. */
  readonly changed: boolean;
  /** The current-context before, where there was one that isn't ours. */
  readonly previousContext: string | undefined;
  /** The copy of what was there, where there was anything of others' in it. */
  readonly backupPath: string | undefined;
}

/**
 * Merges a cluster's entries into a kubeconfig under kubectl's lock, atomically, with a backup. All that is not ours
 * stays, fields unknown to us included; comments stay in the backup only. The file's mode becomes 0600 or stays
 * stricter; its owner stays, and a new file belongs to its folder's owner. Idempotent. Throws `InvalidConfig` (malformed),
 * `AlreadyExists` (an entry of that name that isn't ours), `Locked`, `PermissionDenied`; the file is then untouched.
 */
export async function mergeKubeconfig(options: MergeKubeconfigOptions): Promise<MergedFile> {
  const { path, entryName, config, setCurrent = true } = options;
  await makeOwnedFolder(dirname(path));
  return await withKubeconfigLock(path, options, async () => {
    const file = await resolvePath(path);
    const text = await readTextIfPresent(file);
    const existing = text === undefined ? {} : parseKubeconfig(text, path);
    const merged = mergeEntries(existing, config, entryName, setCurrent);
    const { previousContext } = merged;
    if (text !== undefined && sameKubeconfig(existing, merged.config)) {
      return { created: false, changed: false, previousContext, backupPath: undefined };
    }
    const backupPath = text !== undefined && hasForeign(existing, text) ? await backUpKubeconfig(file) : undefined;
    await writeConfig(file, merged.config, text === undefined);
    return { created: text === undefined, changed: true, previousContext, backupPath };
  });
}

/**
 * Finds out whether `mergeKubeconfig` would work, changing nothing. Throws what it would throw, except for what
 * happens in between. Gives the folders that the merge would have to make, outermost first.
 */
export async function checkKubeconfigMerge(
  options: Pick<MergeKubeconfigOptions, 'path' | 'entryName' | 'config'>,
): Promise<{ readonly exists: boolean; readonly missingFolders: readonly string[] }> {
  const { path, entryName, config } = options;
  const file = await resolvePath(path);
  const missingFolders = await missingParents(dirname(path));
  const text = await readTextIfPresent(file);
  if (text !== undefined) mergeEntries(parseKubeconfig(text, path), config, entryName, true);
  const folder = dirname(missingFolders[0] ?? path);
  for (const writable of text === undefined ? [folder] : [folder, file]) {
    try {
      await access(writable, constants.W_OK);
    } catch (error) {
      throw fileError('write', writable, error);
    }
  }
  return { exists: text !== undefined, missingFolders };
}

export interface RemoveFromKubeconfigOptions extends KubeconfigLockOptions {
  readonly path: string;
  readonly entryName: string;
  /** Becomes current again where ours is current and this one still exists. */
  readonly previousContext: string | undefined;
  /** Whether we made the file: only then is it deleted, and only with nothing else in it. Default false. */
  readonly created?: boolean | undefined;
}

export interface RemovedFromFile {
  /** Something of ours was in it. */
  readonly removed: boolean;
  readonly deletedFile: boolean;
  /** The file is byte for byte what it was before `mergeKubeconfig`. */
  readonly restored: boolean;
  /** Backups that hold something the file no longer has, such as comments. */
  readonly backupsKept: readonly string[];
}

/**
 * Takes a cluster's entries out again, found by their mark and not by name; everything else stays. Idempotent; quiet
 * where the file is gone. Throws `InvalidConfig`, `Locked`, `PermissionDenied`; the file is then untouched.
 */
export async function removeFromKubeconfig(options: RemoveFromKubeconfigOptions): Promise<RemovedFromFile> {
  const { path, entryName, previousContext, created = false } = options;
  const nothing = { removed: false, deletedFile: false, restored: false, backupsKept: [] };
  if (!(await pathExists(path))) return nothing;
  return await withKubeconfigLock(path, options, async () => {
    const file = await resolvePath(path);
    const text = await readTextIfPresent(file);
    if (text === undefined) return nothing;
    const existing = parseKubeconfig(text, path);
    const left = removeEntries(existing, entryName, previousContext);
    const removed = left !== existing;
    if (created && isEmptyKubeconfig(left)) {
      await rm(file, { force: true });
      return { ...nothing, removed, deletedFile: true };
    }
    if (removed) await writeConfig(file, left, false);
    const { restored, kept } = await settleBackups(file, left);
    return { removed, deletedFile: false, restored, backupsKept: kept };
  });
}

function hasForeign(config: Kubeconfig, text: string): boolean {
  return foreignEntryNames(config).length > 0 || /(^|\s)#/.test(text) || isEmptyKubeconfig(config);
}

async function writeConfig(file: string, config: Kubeconfig, isNew: boolean): Promise<void> {
  const mode = isNew ? 0o600 : (await stat(file)).mode & 0o600;
  await writeAtomic(file, formatKubeconfig(config), mode);
  // Without it a mode of 0 would count as none given.
  await chmod(file, mode);
  if (isNew) await giveToOwnerOf(dirname(file), file);
}

/** Where a link leads; the path itself where there is nothing yet. */
async function resolvePath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return path;
    throw fileError('find', path, error);
  }
}

async function missingParents(folder: string): Promise<string[]> {
  if (await pathExists(folder)) return [];
  return [...(await missingParents(dirname(folder))), folder];
}

/** Makes the missing folders, each owned as the one above: under sudo `~/.kube` must not become root's. */
async function makeOwnedFolder(folder: string): Promise<void> {
  for (const missing of await missingParents(folder)) {
    try {
      await mkdir(missing, { mode: 0o755 });
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') continue;
      throw fileError('make folder', missing, error);
    }
    await giveToOwnerOf(dirname(missing), missing);
  }
  if (!(await stat(folder)).isDirectory()) {
    throw new HyperupError('HostChangeFailed', `write kubeconfig: ${folder} is not a folder`);
  }
}

async function giveToOwnerOf(model: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(model);
  await chown(path, uid, gid);
}
