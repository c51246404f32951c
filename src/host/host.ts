import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.js';
import { fileError } from '../base/files.js';
import type { RunCommand } from '../base/run-command.js';

/** The Linux machine as seen by this room; tests give a folder as `root` and a scripted `run`. */
export interface Host {
  /** Put before every path of /proc, /sys, /etc and /run that is read; empty on the real machine. */
  readonly root: string;
  readonly run: RunCommand;
}

/** The machine that this process runs on. */
export function localHost(run: RunCommand): Host {
  return { root: '', run };
}

/** A path of the machine as this process opens it. */
export function hostPath(host: Pick<Host, 'root'>, path: string): string {
  return host.root === '' ? path : join(host.root, path);
}

/** Errnos by which /proc and /sys say that a thing has gone, or never was. */
const goneErrnos: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'ENOTDIR', 'ENODEV', 'ENXIO']);

/** The text of a file of the machine, or undefined where there is none (a process may end while it is read). */
export async function readHostText(host: Pick<Host, 'root'>, path: string): Promise<string | undefined> {
  try {
    return await readFile(hostPath(host, path), 'utf8');
  } catch (error) {
    if (goneErrnos.has(errnoOf(error))) return undefined;
    throw fileError('read', path, error);
  }
}

/** The names in a folder of the machine, sorted; none where there is no such folder. */
export async function listHostDir(host: Pick<Host, 'root'>, path: string): Promise<readonly string[]> {
  try {
    return (await readdir(hostPath(host, path))).sort();
  } catch (error) {
    if (goneErrnos.has(errnoOf(error))) return [];
    throw fileError('list', path, error);
  }
}
