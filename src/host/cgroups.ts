import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Host, hostPath, listHostDir, readHostText } from './host.js';
import { readMounts } from './mountinfo.js';

export interface CgroupLayout {
  /** `hybrid`: v1 controllers with an empty v2 hierarchy beside them, which counts as v1. */
  readonly mode: 'v1' | 'v2' | 'hybrid' | 'none';
  /** Where hierarchies are mounted, each once. */
  readonly hierarchies: readonly string[];
  /** Controllers that can be used, sorted. */
  readonly controllers: readonly string[];
}

/** How the machine's cgroups are laid out, by what is mounted. */
export async function readCgroups(host: Pick<Host, 'root'>): Promise<CgroupLayout> {
  const mounts = (await readMounts(host)).filter(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2');
  const hierarchies = [...new Set(mounts.map(({ mountPoint }) => mountPoint))];
  const v1 = mounts.filter(({ fsType }) => fsType === 'cgroup');
  const v2 = mounts.filter(({ fsType }) => fsType === 'cgroup2');
  const known = ((await readHostText(host, '/proc/cgroups')) ?? '')
    .split('\n')
    .map((line) => line.split(/\s/)[0] ?? '');
  const v1Controllers = v1
    .flatMap(({ superOptions }) => superOptions.split(','))
    .filter((option) => known.includes(option));
  const v2Controllers = await Promise.all(
    v2.map(async ({ mountPoint }) => {
      const text = await readHostText(host, join(mountPoint, 'cgroup.controllers'));
      return (text ?? '').split(/\s+/).filter((name) => name !== '');
    }),
  );
  const mode =
    v1Controllers.length > 0 ? (v2.length > 0 ? 'hybrid' : 'v1') : v2.length > 0 ? 'v2' : v1.length > 0 ? 'v1' : 'none';
  return { mode, hierarchies, controllers: [...new Set([...v1Controllers, ...v2Controllers.flat()])].sort() };
}

/** Every cgroup folder on the machine as full paths, parents before children. */
export async function listCgroups(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  const { hierarchies } = await readCgroups(host);
  const lists = await Promise.all(hierarchies.map((path) => foldersBelow(host, path)));
  return lists.flat().sort();
}

async function foldersBelow(host: Pick<Host, 'root'>, path: string): Promise<readonly string[]> {
  const entries = await readdir(hostPath(host, path), { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError('list', path, error);
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  const below = await Promise.all(folders.map((folder) => foldersBelow(host, folder)));
  return [...folders, ...below.flat()];
}

/** A cgroup that the kubelet makes for pods: `kubepods…` (cgroupfs) or `kubepods….slice` (systemd). */
const kubepods = /^\/kubepods(?:[-.][^/]*)?(?:\/|$)/;

/**
 * The pod cgroups of a kubelet that has this machine's hierarchies, parents before children. Those further down, below
 * a container's own cgroup, belong to a kubelet inside that container.
 */
export async function listPodCgroups(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  const { hierarchies } = await readCgroups(host);
  return (await listCgroups(host)).filter((path) =>
    hierarchies.some((top) => path.startsWith(`${top}/`) && kubepods.test(path.slice(top.length))),
  );
}

export interface CgroupRemoval {
  readonly removed: readonly string[];
  /** Still there, with the processes in it. */
  readonly left: readonly { readonly path: string; readonly pids: readonly number[] }[];
}

/** Removes the kubelet's pod cgroups that have no process in them, deepest first; `except` lists those to keep. */
export async function removePodCgroups(
  host: Pick<Host, 'root'>,
  except: ReadonlySet<string> = new Set(),
): Promise<CgroupRemoval> {
  const removed: string[] = [];
  const left: { path: string; pids: readonly number[] }[] = [];
  const paths = (await listPodCgroups(host)).filter((path) => !except.has(path)).reverse();
  for (const path of paths) {
    try {
      await rmdir(hostPath(host, path));
      removed.push(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') continue;
      const pids = ((await readHostText(host, join(path, 'cgroup.procs')).catch(() => '')) ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .map(Number);
      left.push({ path, pids });
    }
  }
  return { removed, left };
}

/** The pods' folders under the kubelet's, by uid: what is left when their mounts and containers are gone. */
export async function listPodFolders(kubeletDir: string, host: Pick<Host, 'root'>): Promise<readonly string[]> {
  return (await listHostDir(host, join(kubeletDir, 'pods'))).map((uid) => join(kubeletDir, 'pods', uid));
}
