import { readdir, readlink, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { makeFolder } from '../../base/make-folder.js';
import { validPathPart } from '../pod/pod-names.js';
import type { ContainerId, PodUid } from '../types.js';

export interface LogLinksOptions {
  /** `/var/log/pods`; `containers` beside it has the flat links. */
  readonly podLogDir: string;
  readonly logger: Logger;
}

/** Whose log it is. */
export interface LogOwner {
  readonly id: ContainerId;
  readonly podUid: PodUid;
  readonly podName: string;
  readonly namespace: string;
  readonly containerName: string;
  readonly attempt: number;
}

/**
 * Links by which log collectors find the engine's files: `<pods>/<ns>_<pod>_<uid>/<container>/<attempt>.log` and
 * `<containers>/<pod>_<ns>_<container>-<id>.log`. Best effort: nothing throws but a bad name.
 */
export interface LogLinks {
  /** Throws `InvalidConfig` for a name that isn't a part of a path. */
  pathOf(owner: Omit<LogOwner, 'id'>): string;
  make(owner: LogOwner, engineLogPath: string): Promise<void>;
  remove(owner: LogOwner): Promise<void>;
  /** The pod's whole folder, by its UID alone. */
  removePod(uid: PodUid): Promise<void>;
}

/** Of most file systems. */
const maxNameLength = 255;
const suffix = '.log';

export function createLogLinks(options: LogLinksOptions): LogLinks {
  const { podLogDir, logger } = options;
  const flatDir = join(dirname(podLogDir), 'containers');
  const pathOf = (owner: Omit<LogOwner, 'id'>) => {
    const folder = validPathPart(`${owner.namespace}_${owner.podName}_${owner.podUid}`);
    return join(podLogDir, folder, validPathPart(owner.containerName), `${owner.attempt}${suffix}`);
  };
  const flatPathOf = (owner: LogOwner) => {
    const name = `${owner.podName}_${owner.namespace}_${owner.containerName}-${owner.id}`;
    return join(flatDir, `${validPathPart(name.slice(0, maxNameLength - suffix.length))}${suffix}`);
  };
  const quietly = async (action: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      logger.debug('Could not keep the links to logs', { action, err: messageOf(error) });
    }
  };
  return {
    pathOf,
    make: (owner, engineLogPath) =>
      quietly('make', async () => {
        if (engineLogPath === '') return;
        const path = pathOf(owner);
        await replaceLink(engineLogPath, path);
        await replaceLink(path, flatPathOf(owner));
      }),
    remove: (owner) =>
      quietly('remove', async () => {
        await rm(pathOf(owner), { force: true });
        await rm(flatPathOf(owner), { force: true });
      }),
    removePod: (uid) =>
      quietly('remove all', async () => {
        const end = `_${validPathPart(uid)}`;
        const folders = await readdir(podLogDir).catch((error: unknown) => {
          if (errnoOf(error) === 'ENOENT') return [];
          throw error;
        });
        for (const folder of folders.filter((name) => name.endsWith(end))) {
          // Also those whose containers went without us.
          await removeFlatLinks(flatDir, join(podLogDir, folder));
          await rm(join(podLogDir, folder), { recursive: true, force: true });
        }
      }),
  };
}

/** Those that lead into a pod's folder, `<namespace>_<pod>_<uid>`. */
async function removeFlatLinks(flatDir: string, podFolder: string): Promise<void> {
  const [namespace, pod] = basename(podFolder).split('_');
  const names = await readdir(flatDir).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(`${pod}_${namespace}_`))) {
    const path = join(flatDir, name);
    const target = await readlink(path).catch(() => '');
    if (target.startsWith(`${podFolder}/`)) await rm(path, { force: true });
  }
}

async function replaceLink(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') await rm(path, { force: true });
    else if (errnoOf(error) === 'ENOENT') await makeFolder(dirname(path));
    else throw error;
    await symlink(target, path);
  }
}
