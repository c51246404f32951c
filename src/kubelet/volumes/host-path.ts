import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import { resolveInRoot } from './resolve-in-root.js';

interface TypeCheck {
  readonly what: string;
  readonly fits: (found: Stats) => boolean;
  readonly create?: 'directory' | 'file';
}

const directory: TypeCheck = { what: 'a directory', fits: (found) => found.isDirectory() };
const file: TypeCheck = { what: 'a file', fits: (found) => found.isFile() };

const checks: Readonly<Record<string, TypeCheck>> = {
  Directory: directory,
  DirectoryOrCreate: { ...directory, create: 'directory' },
  File: file,
  FileOrCreate: { ...file, create: 'file' },
  Socket: { what: 'a socket file', fits: (found) => found.isSocket() },
  CharDevice: { what: 'a character device', fits: (found) => found.isCharacterDevice() },
  BlockDevice: { what: 'a block device', fits: (found) => found.isBlockDevice() },
};

/** Throws `InvalidConfig` for a path with a `..` component. */
export function refuseBacksteps(path: string, subject: string): void {
  if (path.split('/').includes('..')) {
    throw new HyperupError('InvalidConfig', `${subject}: must not contain '..'`, { details: { path } });
  }
}

/**
 * Sees to it that a host's path is of the type asked for, and makes what may be made. No type: no check. Throws
 * `InvalidConfig`, or `Unhealthy` with upstream's text (v1.20 `pkg/volume/hostpath/host_path.go`).
 */
export async function ensureHostPath(hostRoot: string, path: string, type: string): Promise<void> {
  refuseBacksteps(path, `invalid HostPath \`${path}\``);
  if (type === '') return;
  const check = Object.hasOwn(checks, type) ? checks[type] : undefined;
  if (!check) throw new HyperupError('InvalidConfig', `${type} is an invalid volume type`, { details: { path, type } });
  const found = await statInRoot(hostRoot, path);
  if (!found && check.create === 'directory') return makeFolderInRoot(hostRoot, path);
  if (!found && check.create === 'file') return makeFile(hostRoot, path);
  if (!found || !check.fits(found)) {
    throw new HyperupError('Unhealthy', `hostPath type check failed: ${path} is not ${check.what}`);
  }
}

/** The engine refuses to mount what isn't there, so an unchecked path becomes a folder, as `docker run -v` makes it. */
export async function ensureHostPathExists(hostRoot: string, path: string): Promise<void> {
  if (!(await statInRoot(hostRoot, path))) await makeFolderInRoot(hostRoot, path);
}

async function statInRoot(hostRoot: string, path: string): Promise<Stats | undefined> {
  const resolved = await resolveInRoot(hostRoot, path);
  if (resolved.missing > 0) return undefined;
  try {
    return await stat(hostRoot + resolved.path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeFolderInRoot(hostRoot: string, path: string): Promise<void> {
  const resolved = await resolveInRoot(hostRoot, path);
  await makeFolder(hostRoot + resolved.path, 0o755);
}

async function makeFile(hostRoot: string, path: string): Promise<void> {
  const resolved = await resolveInRoot(hostRoot, path);
  if (resolved.missing > 1) {
    throw new HyperupError('NotFound', `open ${path}: no such file or directory`, {
      hint: `Make ${dirname(path)} first: FileOrCreate makes the file alone.`,
    });
  }
  const made = await open(hostRoot + resolved.path, 'a', 0o644);
  await made.close();
}
