import { readlink, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileError } from '../base/files.js';
import { type Host, hostPath, readHostText } from '../host/host.js';

export const defaultPidFile = '/var/run/docker.pid';
const containerdPidFile = '/var/run/docker/containerd/containerd.pid';

/** A dockerd of this machine, and what of its command line matters. */
export interface DockerdProcess {
  readonly pid: number;
  /** `--config-file`, where it was given. */
  readonly configPath: string | undefined;
  /** Names of the flags it was started with, without dashes: what they set can't be in the file too. */
  readonly flags: ReadonlySet<string>;
}

/** The dockerd that wrote this pid file; undefined where it runs no more, or the number is another process's by now. */
export async function findDockerd(
  host: Pick<Host, 'root'>,
  pidFile = defaultPidFile,
): Promise<DockerdProcess | undefined> {
  const pid = await readPid(host, pidFile);
  if (pid === undefined || !(await runsProgram(host, pid, 'dockerd'))) return undefined;
  const args = ((await readHostText(host, `/proc/${pid}/cmdline`)) ?? '').split('\0').slice(1);
  return { pid, configPath: flagValue(args, '--config-file'), flags: flagNames(args) };
}

/**
 * Removes the pid files of a dockerd and its containerd that name no such process: after a reboot they may name
 * another one, and dockerd then believes that it runs already and gives up.
 */
export async function removeStalePidFiles(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const [path, program] of [
    [defaultPidFile, 'dockerd'],
    [containerdPidFile, 'containerd'],
  ] as const) {
    if ((await readHostText(host, path)) === undefined) continue;
    const pid = await readPid(host, path);
    if (pid !== undefined && (await runsProgram(host, pid, program))) continue;
    await rm(hostPath(host, path), { force: true }).catch((error: unknown) => {
      throw fileError('remove', path, error);
    });
    removed.push(path);
  }
  return removed;
}

async function readPid(host: Pick<Host, 'root'>, path: string): Promise<number | undefined> {
  const text = (await readHostText(host, path))?.trim() ?? '';
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

async function runsProgram(host: Pick<Host, 'root'>, pid: number, program: string): Promise<boolean> {
  try {
    const target = await readlink(hostPath(host, `/proc/${pid}/exe`));
    // A program that was upgraded while it runs shows as deleted.
    return basename(target).replace(/ \(deleted\)$/, '') === program;
  } catch {
    return false;
  }
}

function flagValue(args: readonly string[], flag: string): string | undefined {
  const index = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const arg = args[index];
  if (arg === undefined) return undefined;
  return arg === flag ? args[index + 1] : arg.slice(flag.length + 1);
}

function flagNames(args: readonly string[]): ReadonlySet<string> {
  return new Set(args.filter((arg) => arg.startsWith('--')).map((arg) => arg.slice(2).replace(/=.*$/s, '')));
}
