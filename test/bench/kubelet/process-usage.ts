import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Ticks of `/proc` in a second (`USER_HZ`): the same on every architecture that hyperup runs on. */
const ticksPerSecond = 100;

/** Seconds of processor time that `/proc/PID/stat` tells of: its own, and of children that have ended. Pure. */
export function cpuSecondsOf(stat: string): number {
  // The name, in parentheses, may have blanks and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number);
  const ticks = (user ?? Number.NaN) + (system ?? Number.NaN) + (childUser ?? Number.NaN) + (childSystem ?? Number.NaN);
  if (!Number.isFinite(ticks)) throw new Error(`read processor time: got ${JSON.stringify(stat)}`);
  return ticks / ticksPerSecond;
}

/** Megabytes of memory that `/proc/PID/status` says are resident. Pure. */
export function residentMegabytesOf(status: string): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`read resident memory: there is no VmRSS in ${JSON.stringify(status)}`);
  return (Number(kibibytes) * 1024) / 1e6;
}

/** Throws `ENOENT` where there is no such process. */
export async function readCpuSeconds(pid: number): Promise<number> {
  return cpuSecondsOf(await readFile(join('/proc', String(pid), 'stat'), 'utf8'));
}

/** Throws `ENOENT` where there is no such process. */
export async function readResidentMegabytes(pid: number): Promise<number> {
  return residentMegabytesOf(await readFile(join('/proc', String(pid), 'status'), 'utf8'));
}

/** The engine's daemon, by the file that it notes its process in; undefined where it keeps none on this machine. */
export async function findEngineProcess(path = '/var/run/docker.pid'): Promise<number | undefined> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
