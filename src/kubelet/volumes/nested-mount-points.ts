import { join, posix } from 'node:path';
import { HyperupError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { allContainers } from './volume-use.js';

/**
 * Folders in a volume on which containers mount others of the pod's: to be there before, for the engine can't make them
 * in what is mounted read-only. Relative paths; what is nested twice is left out. Pure. Throws `InvalidConfig` (v1.20
 * `pkg/volume/util/nested_volumes.go`).
 */
export function nestedMountPoints(pod: V1Pod, volume: string): readonly string[] {
  const nested = new Set<string>();
  for (const { volumeMounts = [] } of allContainers(pod)) {
    const all = volumeMounts.map(({ mountPath }) => posix.normalize(mountPath).replace(/(?<=.)\/$/, '')).sort();
    for (const { name, mountPath } of volumeMounts) {
      if (name !== volume) continue;
      const own = posix.normalize(mountPath).replace(/(?<=.)\/$/, '');
      if (own.startsWith('../')) {
        throw new HyperupError('InvalidConfig', `invalid container mount point ${own}`, { details: { mountPath } });
      }
      const prefix = own === '/' ? '/' : `${own}/`;
      let previous: string | undefined;
      for (const path of all) {
        if (!path.startsWith(prefix) || path === own) continue;
        if (previous !== undefined && path.startsWith(previous)) continue;
        previous = `${path}/`;
        nested.add(path.slice(prefix.length));
      }
    }
  }
  return [...nested];
}

/** Makes them in the volume's folder. Throws `InvalidConfig` and system errors. */
export async function makeNestedMountPoints(pod: V1Pod, volume: string, folder: string): Promise<void> {
  for (const path of nestedMountPoints(pod, volume)) await makeFolder(join(folder, path), 0o755);
}
