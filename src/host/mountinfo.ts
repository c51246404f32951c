import { HyperupError } from '../base/errors.js';
import { type Host, readHostText } from './host.js';

/** One line of /proc/self/mountinfo. */
export interface Mount {
  readonly id: number;
  readonly parentId: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** The folder of the file system that is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: string;
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  readonly tags: readonly string[];
  readonly fsType: string;
  readonly source: string;
  readonly superOptions: string;
}

/** Reads the table of mounts; proc(5), /proc/pid/mountinfo. Lines that don't fit the format are left out. */
export function parseMountinfo(text: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator === -1) continue;
    const [id, parentId, device, root, mountPoint, options, ...tags] = line.slice(0, separator).split(' ');
    const [fsType = '', source = '', superOptions = ''] = line.slice(separator + 3).split(' ');
    if (id === undefined || parentId === undefined || device === undefined) continue;
    if (root === undefined || mountPoint === undefined || options === undefined) continue;
    mounts.push({
      id: Number(id),
      parentId: Number(parentId),
      device,
      root: unescapeMountPath(root),
      mountPoint: unescapeMountPath(mountPoint),
      options,
      tags,
      fsType,
      source: unescapeMountPath(source),
      superOptions,
    });
  }
  return mounts;
}

/** The kernel writes space, tab, newline, backslash and `#` as three octal digits: `\040`. */
export function unescapeMountPath(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = text.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return bytes;
}

/** The machine's mounts, oldest first, as this process sees them. */
export async function readMounts(host: Pick<Host, 'root'>): Promise<readonly Mount[]> {
  const text = await readHostText(host, '/proc/self/mountinfo');
  if (text === undefined)
    throw new HyperupError('HostChangeFailed', 'read /proc/self/mountinfo: there is no such file');
  return parseMountinfo(text);
}

/** True for a path inside a folder, or the folder itself. Both absolute, without `..`. */
export function isAtOrUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

/** Mounts inside a folder (not the one on the folder itself), those to unmount first coming first. */
export function mountsBelow(mounts: readonly Mount[], folder: string): readonly Mount[] {
  return mounts
    .map((mount, index) => ({ mount, index }))
    .filter(({ mount }) => mount.mountPoint !== folder && isAtOrUnder(mount.mountPoint, folder))
    .sort((a, b) => depth(b.mount) - depth(a.mount) || b.index - a.index)
    .map(({ mount }) => mount);
}

function depth(mount: Mount): number {
  return mount.mountPoint.split('/').length;
}

/** The mount that a path is on: the deepest mount point above it, the newest where several are stacked. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (!isAtOrUnder(path, mount.mountPoint)) continue;
    if (!best || mount.mountPoint.length >= best.mountPoint.length) best = mount;
  }
  return best;
}

export interface Propagation {
  readonly mountPoint: string;
  /** True where a container's `rshared` and `rslave` volumes are possible. */
  readonly shared: boolean;
}

/** How mounts made below a path spread: by the mount that the path is on. */
export function propagationOf(mounts: readonly Mount[], path: string): Propagation {
  const mount = mountOf(mounts, path);
  return {
    mountPoint: mount?.mountPoint ?? '/',
    shared: mount?.tags.some((tag) => tag.startsWith('shared:')) ?? false,
  };
}

/** True where a mount is its own folder bound on itself: what `mount --bind path path` makes, and nothing else. */
export function isSelfBind(mounts: readonly Mount[], mount: Mount): boolean {
  const parent = mounts.find((candidate) => candidate.id === mount.parentId);
  if (!parent || parent.device !== mount.device || !isAtOrUnder(mount.mountPoint, parent.mountPoint)) return false;
  const below = parent.mountPoint === '/' ? mount.mountPoint : mount.mountPoint.slice(parent.mountPoint.length);
  const base = parent.root === '/' ? '' : parent.root;
  return mount.root === (`${base}${below}` || '/');
}
