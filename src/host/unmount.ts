import { HyperupError } from '../base/errors.js';
import type { Host } from './host.js';
import { isSelfBind, mountOf, mountsBelow, readMounts } from './mountinfo.js';

export interface UnmountOutcome {
  readonly unmounted: readonly string[];
  /** Detached at once, for they were busy; the kernel frees them when their last user ends. */
  readonly detached: readonly string[];
  /** Still there. */
  readonly left: readonly string[];
}

/**
 * Unmounts everything inside a folder, deepest first, what is busy lazily; the mount on the folder itself stays.
 * Never throws for a mount that won't go: it is in `left`.
 */
export async function unmountUnder(path: string, host: Host): Promise<UnmountOutcome> {
  const unmounted: string[] = [];
  const detached: string[] = [];
  // Mounts can be stacked and can appear through propagation, so the table is read again until it is empty.
  for (let pass = 0; pass < 4; pass += 1) {
    const mounts = mountsBelow(await readMounts(host), path);
    if (mounts.length === 0) break;
    for (const mount of mounts) {
      const outcome = await unmount(mount.mountPoint, host);
      if (outcome === 'unmounted') unmounted.push(mount.mountPoint);
      if (outcome === 'detached') detached.push(mount.mountPoint);
    }
  }
  const left = mountsBelow(await readMounts(host), path).map((mount) => mount.mountPoint);
  return { unmounted, detached, left };
}

/** Takes back a bind of a folder on itself; false where the topmost mount there is not one. Throws `LeftBehind`. */
export async function unmountSelfBind(path: string, host: Host): Promise<boolean> {
  const mounts = await readMounts(host);
  const top = mountOf(mounts, path);
  if (!top || top.mountPoint !== path || !isSelfBind(mounts, top)) return false;
  const { left } = await unmountUnder(path, host);
  if (left.length > 0) throw stillMounted(path, left);
  if ((await unmount(path, host)) === 'failed') throw stillMounted(path, [path]);
  return true;
}

/** The error for mounts that won't go. */
export function stillMounted(path: string, left: readonly string[]): HyperupError {
  return new HyperupError('LeftBehind', `unmount ${path}: still mounted: ${left.join(', ')}`, {
    hint: `Find who uses them (fuser -vm ${left[0] ?? path}), stop it, then run the command again.`,
    details: { path, left },
  });
}

async function unmount(path: string, host: Host): Promise<'unmounted' | 'detached' | 'failed'> {
  if ((await host.run('umount', [path])).exitCode === 0) return 'unmounted';
  return (await host.run('umount', ['-l', path])).exitCode === 0 ? 'detached' : 'failed';
}
