import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { errnoOf, HyperupError, isHyperupError } from '../base/errors.js';
import { fileError, pathExists } from '../base/files.js';
import type { Host } from './host.js';
import {
  type LinePlace,
  makeEntryLine,
  makeHeaderLine,
  makeUndoneInPlace,
  makeUndoneLine,
  parseJournal,
} from './journal-format.js';
import type { HostChange, JournalEntry } from './journal-types.js';
import { acquireLock, type Lock, lockPath } from './lock.js';

/** The record of what was changed on a host, open for this process alone. */
export interface Journal {
  /** The state folder that holds the journal, its lock and its backups. */
  readonly dir: string;
  /** Writes a change down, flushed to the disk. Call it before the change is made. Calls may overlap. */
  record(change: HostChange): Promise<JournalEntry>;
  /** The changes that still stand, oldest first. */
  entries(): readonly JournalEntry[];
  /** Says that a change was undone. Quiet where it was already. */
  forget(id: number): Promise<void>;
  /** Gives the lock back; where no change stands any more, the journal, its backups and its folder go too. */
  close(): Promise<void>;
}

export interface JournalOptions {
  /** The state folder; made (0700) where absent. */
  readonly dir: string;
  readonly clock: Clock;
  readonly host?: Pick<Host, 'root'>;
  readonly pid?: number;
  /** What to tell another process that finds the journal locked. */
  readonly command?: string;
}

/** The journal's file in a state folder. */
export function journalPath(dir: string): string {
  return join(dir, 'journal.jsonl');
}

/** Where files that were replaced are kept. */
export function backupDir(dir: string): string {
  return join(dir, 'backup');
}

/**
 * The changes that stand according to a journal, without locking it; undefined where there is no journal.
 * Throws `Conflict` on a damaged one.
 */
export async function readJournal(dir: string): Promise<readonly JournalEntry[] | undefined> {
  const path = journalPath(dir);
  try {
    return parseJournal(await readFile(path), path).entries;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileError('read', path, error);
  }
}

/**
 * Opens the journal of a state folder, making both where absent. Fails with `Locked` while another process has it,
 * with `Conflict` on a damaged file. A line that was cut short at the end is dropped.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir, clock, host = { root: '' }, pid = process.pid, command = 'hyperup' } = options;
  const madeDirs = await makeStateDir(dir);
  let lock: Lock | undefined;
  let file: FileHandle | undefined;
  try {
    lock = await acquireLock({ path: lockPath(dir), host, clock, pid, command });
    file = await open(journalPath(dir), constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600);
    return await startJournal(dir, clock, file, lock, madeDirs);
  } catch (error) {
    // A journal that could not even be begun (a full disk) leaves nothing behind.
    const unused = file !== undefined && (await file.stat()).size === 0;
    await file?.close();
    if (unused) await rm(journalPath(dir), { force: true });
    await lock?.release();
    await removeEmptyDirs(madeDirs);
    throw fileError('open', journalPath(dir), error);
  }
}

async function startJournal(
  dir: string,
  clock: Clock,
  file: FileHandle,
  lock: Lock,
  madeDirs: readonly string[],
): Promise<Journal> {
  const path = journalPath(dir);
  const content = parseJournal(await file.readFile(), path);
  let size = content.soundBytes;
  let nextId = content.nextId;
  let closed = false;
  const live = new Map(content.entries.map((entry) => [entry.id, entry]));
  await file.truncate(size);

  const places = new Map(content.places);
  const append = async (line: string): Promise<LinePlace> => {
    if (closed) throw new HyperupError('Internal', `write ${path}: the journal is closed`);
    const bytes = Buffer.from(line);
    try {
      await file.appendFile(bytes);
      await file.datasync();
    } catch (error) {
      // Half a line, on a full disk, must not stay in front of later ones.
      await file.truncate(size).catch(() => {});
      throw fileError('write', path, error);
    }
    const place = { offset: size, length: bytes.length - 1 };
    size += bytes.length;
    return place;
  };
  const strike = async (id: number): Promise<void> => {
    try {
      await append(makeUndoneLine(id));
    } catch (error) {
      const place = places.get(id);
      if (place === undefined || !isHyperupError(error) || error.details['errno'] !== 'ENOSPC') throw error;
      await overwrite(path, place.offset, makeUndoneInPlace(id, place.length));
    }
  };
  // Lines are written one after another, whoever calls; a failure of one is its caller's alone.
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };

  if (!content.endsWithNewline) await append('\n');
  if (size === 0) {
    await append(makeHeaderLine(madeDirs));
    await syncDir(dir);
  }
  return {
    dir,
    record: (change) =>
      inTurn(async () => {
        const entry: JournalEntry = { id: nextId, time: new Date(clock.now()).toISOString(), change };
        places.set(entry.id, await append(makeEntryLine(entry)));
        nextId += 1;
        live.set(entry.id, entry);
        return entry;
      }),
    entries: () => [...live.values()],
    forget: (id) =>
      inTurn(async () => {
        if (!live.has(id)) return;
        await strike(id);
        live.delete(id);
      }),
    close: () =>
      inTurn(async () => {
        if (closed) return;
        closed = true;
        await file.close();
        if (live.size > 0) {
          await lock.release();
          return;
        }
        await rm(path, { force: true });
        await rm(backupDir(dir), { recursive: true, force: true });
        await lock.release();
        await removeEmptyDirs([...new Set([...(content.madeDirs.length ? content.madeDirs : madeDirs), dir])]);
      }),
  };
}

/** Writes over what is there, which needs no room: a full disk must not keep a rollback from its end. */
async function overwrite(path: string, offset: number, text: string): Promise<void> {
  // The journal's own handle writes at the end, wherever it is told to.
  const file = await open(path, constants.O_WRONLY);
  try {
    await file.write(Buffer.from(text), 0, undefined, offset);
    await file.datasync();
  } catch (error) {
    throw fileError('write', path, error);
  } finally {
    await file.close();
  }
}

/** Makes the folder and what is missing above it; gives the ones made, outermost first. */
async function makeStateDir(dir: string): Promise<readonly string[]> {
  const made: string[] = [];
  for (let path = dir; !(await pathExists(path)); path = dirname(path)) made.unshift(path);
  try {
    for (const path of made) {
      const mode = path === dir ? 0o700 : 0o755;
      await mkdir(path, { mode }).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
    }
    if (made.length > 0) await chmod(dir, 0o700);
    return made;
  } catch (error) {
    await removeEmptyDirs(made);
    throw fileError('make', dir, error);
  }
}

/** Removes folders that are empty, the last one first, stopping at none: one that is in use stays. */
async function removeEmptyDirs(dirs: readonly string[]): Promise<void> {
  for (const path of [...dirs].reverse()) {
    await rmdir(path).catch((error: unknown) => {
      const errno = errnoOf(error);
      if (errno !== 'ENOENT' && errno !== 'ENOTEMPTY' && errno !== 'EBUSY') throw fileError('remove', path, error);
    });
  }
}

/** Flushes a folder, so that a file just made in it is still there after power loss. */
async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
