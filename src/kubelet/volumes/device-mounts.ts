import { rmdir } from 'node:fs/promises';
import { errnoOf, HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { makeFolder } from '../../base/make-folder.js';
import { formatDevice } from './block-device.js';
import { type Mounter, mountAt } from './mounter.js';
import { pluginFolders, type VolumeLayout } from './volume-layout.js';

export interface DeviceMountRequest {
  /** Of the persistent volume. */
  readonly name: string;
  /** On the host, links followed. */
  readonly device: string;
  readonly fsType: string | undefined;
  readonly readOnly: boolean;
  readonly mountOptions: readonly string[];
}

/** The devices behind local volumes: each is mounted once, at a path of its own, and bound into pods from there. */
export interface DeviceMounts {
  /**
   * Runs `bind` with the path where the device is mounted, which stays mounted as long as a pod's folder of that volume
   * is a mount. A device that holds nothing is formatted. Throws `Conflict` where another device is mounted there, and
   * what `formatDevice` and the mounter throw.
   */
  use(request: DeviceMountRequest, bind: (path: string) => Promise<void>): Promise<void>;
  /** Unmounts it unless a pod uses it. Nothing where it isn't mounted. Throws what the mounter throws. */
  release(name: string): Promise<void>;
}

/** Knows nothing but the table of mounts; what it remembers is who is at work just now. */
export function createDeviceMounts(options: {
  readonly layout: VolumeLayout;
  readonly mounter: Mounter;
  readonly logger: Logger;
}): DeviceMounts {
  const { layout, mounter, logger } = options;
  /** By volume; the last of those in a row, never rejects. */
  const rows = new Map<string, Promise<void>>();

  function inRow(name: string, task: () => Promise<void>): Promise<void> {
    const run = (rows.get(name) ?? Promise.resolve()).then(task);
    const tail = run
      .catch(() => {})
      .then(() => {
        if (rows.get(name) === tail) rows.delete(name);
      });
    rows.set(name, tail);
    return run;
  }

  async function ensureMounted(path: string, request: DeviceMountRequest): Promise<void> {
    const { name, device, fsType, mountOptions } = request;
    const readOnly = request.readOnly || mountOptions.includes('ro');
    const found = mountAt(await mounter.mounts(), path);
    if (found && found.source !== device) {
      throw new HyperupError('Conflict', `mount ${device} at ${path}: ${found.source} is mounted there`, {
        hint: `Delete the pods that use another PersistentVolume of the name ${name}.`,
      });
    }
    if (found) {
      // The first pod may have been one that only reads.
      const isReadOnly = [found.options, found.superOptions].some((text) => text.split(',').includes('ro'));
      if (isReadOnly && !readOnly) await mounter.mount({ source: device, target: path, options: ['remount', 'rw'] });
      return;
    }
    await makeFolder(path, 0o750);
    const type = await formatDevice(mounter, { device, fsType, readOnly });
    await mounter.mount({
      source: device,
      target: path,
      fsType: type,
      options: [...new Set([...(readOnly ? ['ro'] : []), ...mountOptions])],
    });
    logger.info('a block device was mounted', { device, path, fsType: type });
  }

  async function unmountUnused(name: string): Promise<void> {
    const path = layout.deviceMountDir(name);
    const mounts = await mounter.mounts();
    const ending = `/volumes/${pluginFolders.local}/${name}`;
    const isUsed = mounts.some(
      ({ mountPoint }) => mountPoint.startsWith(`${layout.podsDir}/`) && mountPoint.endsWith(ending),
    );
    if (isUsed) return;
    for (const { mountPoint } of mounts) if (mountPoint === path) await mounter.unmount(path);
    try {
      await rmdir(path);
    } catch (error) {
      // Something is in it that nobody knows of: it stays.
      if (errnoOf(error) !== 'ENOENT') logger.warn('a folder of a device is left', { path, err: messageOf(error) });
    }
  }

  return {
    use: (request, bind) =>
      inRow(request.name, async () => {
        const path = layout.deviceMountDir(request.name);
        await ensureMounted(path, request);
        await bind(path);
      }),
    async release(name) {
      // A pod that is at work on it releases it by itself when it goes.
      if (rows.has(name)) return;
      await inRow(name, () => unmountUnused(name));
    },
  };
}
