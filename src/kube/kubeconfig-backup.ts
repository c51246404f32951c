import { chown, constants, copyFile, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Kubeconfig, parseKubeconfig } from './kubeconfig.js';
import { foreignEntryNames, sameKubeconfig } from './kubeconfig-entries.js';

const suffix = '.hyperup-backup';

/** Copies a file beside itself with mode, owner and times, never over an earlier copy (`…-2`, `…-3`). Gives its path. */
export async function backUpKubeconfig(path: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const backup = `${path}${suffix}${n === 1 ? '' : `-${n}`}`;
    try {
      await copyFile(path, backup, constants.COPYFILE_EXCL);
      const { uid, gid, atime, mtime } = await stat(path);
      if (process.getuid?.() === 0) await chown(backup, uid, gid);
      await utimes(backup, atime, mtime);
      return backup;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw fileError('back up kubeconfig to', backup, error);
    }
  }
}

export interface SettledBackups {
  /** The file is byte for byte what it was before we touched it. */
  readonly restored: boolean;
  /** Copies that hold something that the file no longer has. */
  readonly kept: readonly string[];
}

/**
 * After our entries are gone: where a backup means the same as `current`, it takes the file's place again, comments,
 * formatting, mode and all. Other backups go, unless comments or entries are in them alone.
 */
export async function settleBackups(path: string, current: Kubeconfig): Promise<SettledBackups> {
  let restored = false;
  const kept: string[] = [];
  const present = new Set(foreignEntryNames(current));
  for (const backup of await findBackups(path)) {
    const text = await readFile(backup, 'utf8');
    const config = tryParse(text, backup);
    if (config && !restored && sameKubeconfig(config, current)) {
      await rename(backup, path);
      restored = true;
    } else if (config && !hasComments(text) && foreignEntryNames(config).every((name) => present.has(name))) {
      await rm(backup, { force: true });
    } else kept.push(backup);
  }
  return { restored, kept };
}

/** Latest first. */
async function findBackups(path: string): Promise<string[]> {
  const start = `${basename(path)}${suffix}`;
  const numberOf = (name: string): number => {
    if (!name.startsWith(start)) return 0;
    const [, number] = /^-(\d+)$/.exec(name.slice(start.length)) ?? [];
    return name === start ? 1 : Number(number ?? 0);
  };
  const names = (await readdir(dirname(path))).filter((name) => numberOf(name) > 0);
  return names.sort((a, b) => numberOf(b) - numberOf(a)).map((name) => join(dirname(path), name));
}

function tryParse(text: string, path: string): Kubeconfig | undefined {
  try {
    return parseKubeconfig(text, path);
  } catch {
    // What can't be read can't be compared: it is kept.
    return undefined;
  }
}

function hasComments(text: string): boolean {
  return /(^|\s)#/.test(text);
}
