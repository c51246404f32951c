import { lstat, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { isAtOrUnder, type Mount, parseMountinfo } from '../../host/mountinfo.js';
import type { PodUid } from '../types.js';
import type { DeviceMounts } from './device-mounts.js';
import type { Mounter } from './mounter.js';
import type { VolumeLayout } from './volume-layout.js';

/** A bind on a bind on a tmpfs: more passes than that mean that somebody mounts again and again. */
const unmountPasses = 3;

export interface TearDownOptions {
  readonly layout: VolumeLayout;
  readonly mounter: Mounter;
  readonly devices: Pick<DeviceMounts, 'release'>;
  readonly logger: Logger;
}

/**
 * Unmounts all below a pod's folder, subpaths first, and devices that no other pod uses, then removes the folder and the
 * pod's part of the memory volumes.
 * Knows nothing but the disk and the table of mounts. False where something is still mounted or in use: to be called
 * again. Throws `InvalidConfig` for an impossible UID.
 */
export async function tearDownPod(uid: PodUid, options: TearDownOptions): Promise<boolean> {
  const { layout, logger } = options;
  const [podDir, memoryDir] = [layout.podDir(uid), layout.podMemoryDir(uid)];
  if (!(await isThere(podDir)) && !(await isThere(memoryDir))) return true;
  try {
    await unmountBelow([podDir, memoryDir], layout.subpathsDir(uid), options);
    for (const volume of await localVolumesOf(layout, uid)) await options.devices.release(volume);
    for (const folder of [memoryDir, podDir]) await removeTree(folder, options.mounter);
    return true;
  } catch (error) {
    logger.warn('the volumes of a pod could not be removed yet', { podUID: uid, err: messageOf(error) });
    return false;
  }
}

/** The folder of each is made before anything is mounted for it, and goes last. */
async function localVolumesOf(layout: VolumeLayout, uid: PodUid): Promise<readonly string[]> {
  try {
    return await readdir(layout.pluginDir(uid, 'local'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The pods that have a folder. */
export async function podFolders(layout: VolumeLayout): Promise<readonly PodUid[]> {
  try {
    const found = await readdir(layout.podsDir, { withFileTypes: true });
    return found.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function unmountBelow(folders: readonly string[], first: string, { mounter }: TearDownOptions): Promise<void> {
  let failure: unknown;
  for (let pass = 0; pass < unmountPasses; pass += 1) {
    const mounts = below(await mounter.mounts(), folders);
    if (mounts.length === 0) return;
    const rank = (path: string) => (isAtOrUnder(path, first) ? 0 : 1);
    // The newest and deepest of each rank first.
    const order = mounts.map(({ mountPoint }) => mountPoint).reverse();
    order.sort((a, b) => rank(a) - rank(b) || b.split('/').length - a.split('/').length);
    let unmounted = 0;
    for (const path of order) {
      try {
        await mounter.unmount(path);
        unmounted += 1;
      } catch (error) {
        // It may have gone with another one, through propagation; the next look at the table tells.
        failure = error;
      }
    }
    if (unmounted === 0) break;
  }
  refuseMounts(await mounter.mounts(), folders, failure);
}

function below(mounts: readonly Mount[], folders: readonly string[]): readonly Mount[] {
  return mounts.filter(({ mountPoint }) => folders.some((folder) => isAtOrUnder(mountPoint, folder)));
}

function refuseMounts(mounts: readonly Mount[], folders: readonly string[], cause?: unknown): void {
  const left = below(mounts, folders);
  if (left.length === 0) return;
  const paths = left.map(({ mountPoint }) => mountPoint);
  throw new HyperupError(
    'LeftBehind',
    `remove ${folders.join(', ')}: still mounted: ${paths.join(', ')}${cause === undefined ? '' : ` (${messageOf(cause)})`}`,
    {
      details: { paths },
      cause,
    },
  );
}

/** Asks both tables, the host's and our own, right before the first file goes. */
async function removeTree(folder: string, mounter: Mounter): Promise<void> {
  refuseMounts(await mounter.mounts(), [folder]);
  refuseMounts(parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')), [folder]);
  try {
    const { dev } = await lstat(folder);
    await removeFolder(folder, dev);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Never steps onto another file system; a bind of the same one is kept by the tables, and rmdir(2) refuses it. */
async function removeFolder(folder: string, device: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) {
      await unlink(path);
      continue;
    }
    if ((await lstat(path)).dev !== device) {
      throw new HyperupError('LeftBehind', `remove ${path}: it is on another file system`, { details: { path } });
    }
    await removeFolder(path, device);
  }
  await rmdir(folder);
}
