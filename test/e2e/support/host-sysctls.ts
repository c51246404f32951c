import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Other people's links come and go, with their settings. */
const transient = /\/(conf|neigh)\/(veth|br-)/;

/** The kernel's settings below kernel, vm, net and fs, as `key=value`. */
export function listSysctls(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const tree of ['kernel', 'vm', 'net', 'fs']) read(join('/proc/sys', tree), lines);
  return Promise.resolve(lines);
}

// Synchronous: a thousand tiny reads take a tenth of the time that way.
function read(folder: string, lines: string[]): void {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (transient.test(path) || path.startsWith('/proc/sys/fs/binfmt_misc')) continue;
    if (entry.isDirectory()) {
      read(path, lines);
      continue;
    }
    const value = readValue(path);
    if (value !== undefined) lines.push(`${path.slice('/proc/sys/'.length).replaceAll('/', '.')}=${value}`);
  }
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Undefined for those that may only be written, or answer only where their device is there. */
function readValue(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
