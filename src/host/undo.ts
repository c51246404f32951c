import { lstat, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError, pathExists } from '../base/files.js';
import { makeFolder } from '../base/make-folder.js';
import { copyWithAttributes } from './changes.js';
import type { Host } from './host.js';
import type { HostChange } from './journal-types.js';
import { mountOf, readMounts } from './mountinfo.js';
import { removeServiceRoute } from './service-route.js';
import { readSysctl, writeSysctl } from './sysctl.js';
import { stillMounted, unmountSelfBind, unmountUnder } from './unmount.js';

/** The changes that this room can take back alone; the others belong to whoever makes containers, tags and pods. */
export type PlainHostChange = Extract<
  HostChange,
  { kind: 'directory' | 'contents' | 'file' | 'sharedMount' | 'sysctl' | 'route' }
>;

/** True for a change that `undoHostChange` takes back. */
export function isPlainHostChange(change: HostChange): change is PlainHostChange {
  return ['directory', 'contents', 'file', 'sharedMount', 'sysctl', 'route'].includes(change.kind);
}

export interface UndoOutcome {
  /** Why something was left as it is, though nothing went wrong: a folder with files of others in it. */
  readonly kept: string | undefined;
}

const done: UndoOutcome = { kept: undefined };

/**
 * Takes one change back. Done twice, or where the change was never made, it does nothing. It throws `LeftBehind`
 * rather than delete through a mount, for what is mounted there may be somebody's data.
 */
export async function undoHostChange(change: PlainHostChange, host: Host): Promise<UndoOutcome> {
  switch (change.kind) {
    case 'directory':
      return change.owned ? removeTree(change.path, host) : removeIfEmpty(change.path);
    case 'contents':
      return removeContents(change, host);
    case 'file':
      return change.backup === undefined ? removeFile(change.path) : restoreFile(change.path, change.backup);
    case 'sharedMount':
      await unmountSelfBind(change.path, host);
      return done;
    case 'sysctl':
      return restoreSysctl(change, host);
    case 'route':
      await removeServiceRoute(change, host);
      return done;
  }
}

async function removeIfEmpty(path: string): Promise<UndoOutcome> {
  try {
    await rmdir(path);
    return done;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return done;
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return { kept: `${path}: others have files in it` };
    if (errno === 'EBUSY') return { kept: `${path}: something is mounted on it` };
    throw fileError('remove', path, error);
  }
}

async function removeTree(path: string, host: Host): Promise<UndoOutcome> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileError('stat', path, error);
  });
  // Somebody put a link or a file in its place: that isn't the folder that was made.
  if (found && !found.isDirectory()) return { kept: `${path}: no longer the folder that was made` };
  if (!found) return done;
  const { left } = await unmountUnder(path, host);
  if (left.length > 0) throw stillMounted(path, left);
  const top = mountOf(await readMounts(host), path);
  if (top?.mountPoint === path) {
    throw new HyperupError('LeftBehind', `remove ${path}: a file system (${top.source}) is mounted on it`, {
      hint: `It isn't hyperup's: unmount it, then run the command again, or keep it and its data.`,
      details: { path, source: top.source },
    });
  }
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
    return done;
  } catch (error) {
    throw fileError('remove', path, error);
  }
}

/** Names in the folder that weren't there when the change was journaled; none where the folder isn't there. */
export async function newContents(change: Extract<HostChange, { kind: 'contents' }>): Promise<readonly string[]> {
  try {
    const existing = new Set(change.existing);
    return (await readdir(change.path)).filter((name) => !existing.has(name)).map((name) => join(change.path, name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw fileError('list', change.path, error);
  }
}

async function removeContents(change: Extract<HostChange, { kind: 'contents' }>, host: Host): Promise<UndoOutcome> {
  for (const path of await newContents(change)) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory()) await removeTree(path, host);
    else await removeFile(path);
  }
  return done;
}

async function removeFile(path: string): Promise<UndoOutcome> {
  try {
    if ((await lstat(path)).isDirectory()) return { kept: `${path}: a folder now, not the file that was made` };
    await rm(path, { force: true });
    return done;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return done;
    throw fileError('remove', path, error);
  }
}

/** Puts the copy back whole or not at all, and only then gives it up; without a copy it was put back before. */
async function restoreFile(path: string, backup: string): Promise<UndoOutcome> {
  if (!(await pathExists(backup))) return done;
  // Through a symbolic link, as it was written.
  const target = await realpath(path).catch(() => path);
  const aside = join(dirname(target), `.hyperup-restore-${process.pid}`);
  try {
    await makeFolder(dirname(target));
    await copyWithAttributes(backup, aside);
    await rename(aside, target);
    await rm(backup, { force: true });
    return done;
  } catch (error) {
    await rm(aside, { force: true });
    throw fileError('restore', path, error);
  }
}

async function restoreSysctl(change: Extract<HostChange, { kind: 'sysctl' }>, host: Host): Promise<UndoOutcome> {
  const now = await readSysctl(change.key, host);
  if (now === undefined || now === change.previous) return done;
  if (now !== change.value) return { kept: `sysctl ${change.key}: set to ${now} by somebody else since` };
  await writeSysctl(change.key, change.previous, host);
  return done;
}
