import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { link, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Host, readHostText } from './host.js';

/** Enough to tell a live process from a dead one whose pid was given to another. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat. */
  readonly startTime: string;
  readonly bootId: string;
}

/** Who holds a lock. */
export interface LockHolder extends ProcessIdentity {
  /** ISO 8601. */
  readonly since: string;
  readonly command: string;
}

export interface Lock {
  readonly path: string;
  release(): Promise<void>;
}

export interface LockOptions {
  readonly path: string;
  readonly host: Pick<Host, 'root'>;
  readonly clock: Clock;
  readonly pid: number;
  /** What `identify` says of `pid`, for who takes many locks. */
  readonly identity?: ProcessIdentity | undefined;
  /** Said to whoever finds the lock taken. */
  readonly command: string;
}

/** What this machine calls a process that runs. */
export async function identify(host: Pick<Host, 'root'>, pid: number): Promise<ProcessIdentity> {
  const [startTime = '', boot] = await Promise.all([processStartTime(host, pid), bootId(host)]);
  return { pid, startTime, bootId: boot };
}

/*
 * What every lock takes is done at once: through Node's threads each of these steps, of 20 µs, would wait for its turn
 * behind all else that the process does, and layers are locked by the dozen.
 */

/**
 * Takes the lock file or fails with `Locked`, naming the holder; it never waits. The file appears with its whole
 * content at once (written aside, then linked). A holder that is dead, or of an earlier boot, is replaced.
 */
export async function acquireLock(options: LockOptions): Promise<Lock> {
  const { path, host, clock, pid, command } = options;
  const holder: LockHolder = {
    ...(options.identity ?? (await identify(host, pid))),
    since: new Date(clock.now()).toISOString(),
    command,
  };
  const aside = `${path}.${pid}`;
  const content = `${JSON.stringify(holder)}\n`;
  try {
    writeFileSync(aside, content, { mode: 0o600 });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        linkSync(aside, path);
        return { path, release: async () => release(path, content) };
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
      const found = await readIfThere(path);
      if (found === undefined) continue;
      const other = parseHolder(found);
      if (other && (await isAlive(host, other))) throw locked(path, other);
      await removeStale(path, found, pid);
    }
    throw new HyperupError('Locked', `lock ${path}: others kept taking it`, { hint: 'Run the command again.' });
  } catch (error) {
    throw fileError('lock', path, error);
  } finally {
    removeIfThere(aside);
  }
}

/** Whoever holds the lock file now and is alive, if anybody. */
export async function lockHolder(path: string, host: Pick<Host, 'root'>): Promise<LockHolder | undefined> {
  const found = await readIfThere(path);
  const holder = found === undefined ? undefined : parseHolder(found);
  return holder && (await isAlive(host, holder)) ? holder : undefined;
}

function release(path: string, content: string): void {
  try {
    if (readFileSync(path, 'utf8') === content) unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Two newcomers may both find the same stale lock; the slower must not remove the faster one's fresh lock. So the
 * file is moved aside, looked at again, and put back where it isn't the stale one.
 */
async function removeStale(path: string, stale: string, pid: number): Promise<void> {
  const aside = `${path}.stale.${pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readIfThere(aside)) !== stale) {
    try {
      await link(aside, path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
  await unlink(aside);
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number')
      return undefined;
    return value as LockHolder;
  } catch {
    return undefined;
  }
}

async function isAlive(host: Pick<Host, 'root'>, holder: LockHolder): Promise<boolean> {
  if (holder.bootId !== (await bootId(host))) return false;
  const startTime = await processStartTime(host, holder.pid);
  return startTime !== undefined && startTime === holder.startTime;
}

async function bootId(host: Pick<Host, 'root'>): Promise<string> {
  return ((await readHostText(host, '/proc/sys/kernel/random/boot_id')) ?? '').trim();
}

/** Clock ticks from boot to the start of a process, or undefined where there is no such process. */
export async function processStartTime(host: Pick<Host, 'root'>, pid: number): Promise<string | undefined> {
  const stat = await readHostText(host, `/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the program's name in brackets and may hold spaces and brackets itself: proc(5).
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function locked(path: string, holder: LockHolder): HyperupError {
  return new HyperupError(
    'Locked',
    `lock ${path}: held by process ${holder.pid} (${holder.command}) since ${holder.since}`,
    {
      hint: `Wait until process ${holder.pid} has finished, or stop it, then run the command again.`,
      details: { path, holder },
    },
  );
}

/** The lock file of a state folder. */
export function lockPath(stateDir: string): string {
  return join(stateDir, 'lock');
}
