import { open, readFile, rm } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/clock.js';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';

export interface KubeconfigLockOptions {
  readonly clock?: Clock | undefined;
  /** How long another holder may keep it; default 5 s. */
  readonly waitMs?: number | undefined;
}

/**
 * Runs `work` while holding the lock that kubectl takes too: `<path>.lock`, made only if absent (client-go v0.20
 * `clientcmd/loader.go`). Ours names its process, so that one left by a hyperup that was killed is taken over; kubectl's
 * is empty and waited for. The folder must exist. Throws `Locked` naming the lock file, `PermissionDenied`.
 */
export async function withKubeconfigLock<T>(
  path: string,
  options: KubeconfigLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const lockPath = `${path}.lock`;
  await acquire(lockPath, options);
  try {
    return await work();
  } finally {
    await rm(lockPath, { force: true });
  }
}

async function acquire(lockPath: string, options: KubeconfigLockOptions): Promise<void> {
  const { clock = systemClock, waitMs = 5000 } = options;
  const deadline = clock.monotonicMs() + waitMs;
  while (!(await tryLock(lockPath))) {
    const holder = await readFile(lockPath, 'utf8').catch(() => '');
    if (await isDeadHyperup(holder)) {
      // Somebody may have taken it over since; then it no longer says the same.
      if ((await readFile(lockPath, 'utf8').catch(() => '')) === holder) await rm(lockPath, { force: true });
    } else if (clock.monotonicMs() >= deadline) {
      throw new HyperupError('Locked', `lock kubeconfig: ${lockPath} is still there after ${waitMs / 1000} s`, {
        hint: `Another kubectl or hyperup is writing the file. If none is running, remove ${lockPath} and run the command again.`,
        details: { lockPath },
      });
    } else await clock.sleep(50);
  }
}

async function tryLock(lockPath: string): Promise<boolean> {
  try {
    const file = await open(lockPath, 'wx', 0o600);
    try {
      await file.writeFile(`hyperup ${process.pid} ${(await processStart(process.pid)) ?? ''}`);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw fileError('lock', lockPath, error);
  }
}

async function isDeadHyperup(holder: string): Promise<boolean> {
  const [, pid, start] = /^hyperup (\d+) (\d+)$/.exec(holder) ?? [];
  return pid !== undefined && (await processStart(Number(pid))) !== start;
}

/** The start time in clock ticks since boot, which tells a process from a later one of the same id (proc(5), stat). */
async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
