import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.js';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';

const pollMs = 50;
/** Between a lock file's creation and the words in it. */
const unwrittenMs = 5_000;

/**
 * Takes a lock that is a file with the owner's process in it; gives what releases it. A lock whose process has ended,
 * or that another boot (or another machine, on a medium that travels) left behind, is taken over. `Locked` where its
 * owner is alive for longer than `waitMs`.
 */
export async function takeLock(path: string, clock: Clock, waitMs: number): Promise<() => Promise<void>> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  const mine = `${process.pid} ${bootId} ${randomBytes(6).toString('hex')}\n`;
  const until = clock.monotonicMs() + waitMs;
  for (;;) {
    if (await create(path, mine)) {
      return async () => {
        const now = await readFile(path, 'utf8').catch(() => '');
        if (now === mine) await rm(path, { force: true });
      };
    }
    const held = await readFile(path, 'utf8').catch(() => '');
    const owner = ownerOf(held);
    if (held === '' ? await isOld(path, clock) : !isAlive(owner, bootId)) {
      await takeAway(path, held);
      continue;
    }
    if (clock.monotonicMs() >= until) {
      throw new HyperupError('Locked', `lock ${path}: process ${owner.pid || 'unknown'} is writing there`, {
        hint: `Wait for it to end. If no such process of hyperup's runs, remove ${path}.`,
      });
    }
    await clock.sleep(pollMs);
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o644);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw fileError('lock', path, error);
  }
}

function ownerOf(text: string): { readonly pid: number; readonly bootId: string } {
  const [pid = '', bootId = ''] = text.trim().split(' ');
  return { pid: /^[1-9][0-9]{0,9}$/.test(pid) ? Number(pid) : 0, bootId };
}

function isAlive(owner: { readonly pid: number; readonly bootId: string }, bootId: string): boolean {
  return owner.pid !== 0 && owner.bootId === bootId && isProcessAlive(owner.pid);
}

/** True where a process of that id runs now, whoever's it is. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

async function isOld(path: string, clock: Clock): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && clock.now() - found.mtimeMs > unwrittenMs;
}

/** Removes the lock that was seen; one that somebody else has put there meanwhile goes back. */
async function takeAway(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) === seen) await rm(aside, { force: true });
    else await rename(aside, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError('lock', path, error);
  }
}
