import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where an install may leave a file. Content counts below /etc and in the kubeconfig's folder; elsewhere the size. */
const roots: readonly { readonly path: string; readonly content: boolean }[] = [
  { path: '/etc', content: true },
  { path: join(homedir(), '.kube'), content: true },
  { path: '/var/lib', content: false },
  { path: '/var/log', content: false },
  { path: '/run', content: false },
  { path: '/usr/libexec', content: false },
  { path: '/usr/local/bin', content: false },
  { path: '/opt/cni', content: false },
];

/** Not walked: the engine's storage is as large as its images, and changes with every container of anyone's. */
const unwalked = new Set(['/var/lib/docker', '/var/lib/containerd', '/run/docker', '/run/containerd']);

/** Every file, folder and link of the places that an install may touch, with owner, mode and content or size. */
export function listFiles(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { path, content } of roots) walk(path, content, lines);
  return Promise.resolve(lines);
}

// Synchronous: thousands of tiny calls take a fraction of the time that way.
function walk(path: string, content: boolean, lines: string[]): void {
  const stats = ifThere(() => lstatSync(path));
  if (!stats) return;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  lines.push(`${path} ${describe(path, stats, content)} mode ${mode} owner ${stats.uid}:${stats.gid}`);
  if (!stats.isDirectory() || unwalked.has(path)) return;
  for (const name of ifThere(() => readdirSync(path)) ?? []) walk(join(path, name), content, lines);
}

function describe(path: string, stats: Stats, content: boolean): string {
  if (stats.isDirectory()) return 'folder';
  if (stats.isSymbolicLink()) return `link to ${ifThere(() => readlinkSync(path)) ?? '?'}`;
  if (!stats.isFile()) return 'special';
  if (!content || stats.size > 4 * 1024 * 1024) return `file of ${stats.size} bytes`;
  const data = ifThere(() => readFileSync(path)) ?? Buffer.alloc(0);
  return `file ${createHash('sha256').update(data).digest('hex').slice(0, 16)}`;
}

/** Files of others may go while they are looked at. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
