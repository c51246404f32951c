import { readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { errnoOf, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { PodUid } from '../types.js';
import { type CgroupLayout, podCgroupParent, podCgroupPath, possiblePodCgroupPaths } from './cgroup-names.js';
import { cgroupFiles, podCgroupValues } from './cgroup-values.js';

export interface PodCgroupsOptions {
  readonly layout: CgroupLayout;
  readonly version: 1 | 2;
  /** `KubeletIdentity.hostRoot`. */
  readonly hostRoot: string;
  readonly podPidsLimit: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Pods' own cgroups. The engine makes the folders; values and removal are the kubelet's, and both are best effort. */
export interface PodCgroups {
  /** Throws `InvalidConfig` for an UID that isn't a part of a path. */
  parentOf(pod: V1Pod): string | undefined;
  /** Once the pod's sandbox runs, and after a change of its resources. Never throws. */
  apply(pod: V1Pod): Promise<void>;
  /** With all controllers' folders; a cgroup with processes in it stays. Never throws. */
  remove(uid: PodUid): Promise<void>;
}

/** A process that has just ended still holds its cgroup for a moment. */
const removalTries = 5;
const removalPauseMs = 20;

export function createPodCgroups(options: PodCgroupsOptions): PodCgroups {
  const { layout, version, logger, clock } = options;
  const mountRoot = join(options.hostRoot === '' ? '/' : options.hostRoot, 'sys/fs/cgroup');
  let controllers: Promise<readonly string[]> | undefined;
  /** Folders with a hierarchy of their own: of version 1 several, of version 2 the root. */
  const hierarchies = () => {
    controllers ??= findHierarchies(mountRoot, version);
    return controllers;
  };
  const removeTree = async (folder: string): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await removeFolders(folder);
        return;
      } catch (error) {
        if (errnoOf(error) !== 'EBUSY' || attempt === removalTries) {
          logger.debug('Could not remove the cgroup of a pod', { folder, err: messageOf(error) });
          return;
        }
        await clock.sleep(removalPauseMs);
      }
    }
  };
  return {
    parentOf: (pod) => podCgroupParent(pod, layout),
    async apply(pod) {
      const path = podCgroupPath(pod, layout);
      if (path === undefined) return;
      for (const file of cgroupFiles(podCgroupValues(pod, options.podPidsLimit), version)) {
        const target = join(mountRoot, file.controller, path, file.name);
        // Not made where it is absent: a cgroup's files are the kernel's.
        await writeFile(target, file.value, { flag: 'r+' }).catch((error: unknown) => {
          logger.debug('Could not limit the cgroup of a pod', { path: target, err: messageOf(error) });
        });
      }
    },
    async remove(uid) {
      const paths = possiblePodCgroupPaths(uid, layout);
      if (paths.length === 0) return;
      for (const hierarchy of await hierarchies()) {
        await Promise.all(paths.map((path) => removeTree(join(hierarchy, path))));
      }
    },
  };
}

async function findHierarchies(mountRoot: string, version: 1 | 2): Promise<readonly string[]> {
  if (version === 2) return [mountRoot];
  // `cpu` may be a link to `cpu,cpuacct`, which is there as well.
  const entries = await readdir(mountRoot, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(mountRoot, entry.name));
}

/** Only folders can be removed from a cgroup file system, the lowest first. Quiet where there is none. */
async function removeFolders(folder: string): Promise<void> {
  try {
    await rmdir(folder);
    return;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return;
    if (errnoOf(error) !== 'EBUSY' && errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  await rmdir(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}
