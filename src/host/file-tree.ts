import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Host, hostPath } from './host.js';

export interface FileTreeOptions {
  /** Absolute paths that aren't looked into; they are listed themselves. */
  readonly skip?: readonly string[];
  /** Files up to this size are hashed, larger ones are known by size. */
  readonly hashUpToBytes?: number;
}

/**
 * One line for everything below a folder, itself included: `path type mode uid:gid content`. Content is a hash for
 * small files, the size for large ones, the target for links. Nothing where the folder isn't there. Other file systems that are
 * mounted below are looked into as well, so name those in `skip`.
 */
export async function listFileTree(
  root: string,
  host: Pick<Host, 'root'>,
  options: FileTreeOptions = {},
): Promise<readonly string[]> {
  const { skip = [], hashUpToBytes = 1024 * 1024 } = options;
  const paths = await walk(root, host, new Set(skip));
  const lines: (string | undefined)[] = [];
  let next = 0;
  // A few at a time: a tree may hold tens of thousands of files, and open files are limited.
  const worker = async (): Promise<void> => {
    for (let index = next++; index < paths.length; index = next++) {
      lines[index] = await describe(paths[index] ?? root, host, hashUpToBytes);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return lines.filter((line) => line !== undefined);
}

/** Every path below a folder and the folder itself, in the order of the names. */
async function walk(root: string, host: Pick<Host, 'root'>, skip: ReadonlySet<string>): Promise<readonly string[]> {
  const paths = [root];
  const visit = async (folder: string): Promise<void> => {
    const read = () => readdir(hostPath(host, folder), { withFileTypes: true });
    const entries = (await unlessGone('list', folder, read)) ?? [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      paths.push(path);
      if (entry.isDirectory() && !skip.has(path)) await visit(path);
    }
  };
  if (!skip.has(root)) await visit(root);
  return paths;
}

/** The line of one path, or undefined where it is gone. */
async function describe(path: string, host: Pick<Host, 'root'>, hashUpToBytes: number): Promise<string | undefined> {
  const real = hostPath(host, path);
  const found = await unlessGone('stat', path, () => lstat(real));
  if (!found) return undefined;
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  const type = typeOf(found);
  const words = [path, type, mode, `${found.uid}:${found.gid}`];
  if (type === 'link') words.push((await unlessGone('read', path, () => readlink(real))) ?? '');
  if (type === 'file') words.push(found.size <= hashUpToBytes ? await hashOf(real) : `${found.size} bytes`);
  return words.join(' ');
}

/** Some files can't be read even by root (a network namespace bound to a file): then that is their content. */
async function hashOf(path: string): Promise<string> {
  try {
    const data = await readFile(path);
    return `sha256:${createHash('sha256').update(data).digest('hex').slice(0, 16)}`;
  } catch (error) {
    return `unreadable:${errnoOf(error) ?? 'unknown'}`;
  }
}

function typeOf(found: Awaited<ReturnType<typeof lstat>>): string {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  if (found.isSymbolicLink()) return 'link';
  if (found.isSocket()) return 'socket';
  if (found.isFIFO()) return 'fifo';
  return 'device';
}

async function unlessGone<T>(action: string, path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileError(action, path, error);
  }
}
