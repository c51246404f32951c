import { lstat, mkdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1VolumeMount } from '../../kube/pod-objects.js';
import { type Environment, type KubeletIdentity, PodFailure } from '../types.js';
import { expandReferences } from './expand-references.js';
import { type Mounter, mountAt } from './mounter.js';
import { resolveInRoot } from './resolve-in-root.js';
import { makeFoldersInside, openInside } from './safe-open.js';

/** Where a container's part of a volume is to be bound. */
export interface SubpathRequest {
  readonly subPath: string;
  /** The volume's folder on the host. */
  readonly volumePath: string;
  /** A path of the kubelet's own. */
  readonly target: string;
  readonly volume: string;
  readonly container: string;
}

export interface SubpathOptions {
  readonly identity: Pick<KubeletIdentity, 'hostRoot'>;
  readonly mounter: Mounter;
  readonly logger: Logger;
}

/**
 * The part of a volume that a mount is of, variables replaced; empty for the whole. Throws PodFailure
 * `CreateContainerConfigError` for an unknown or empty variable, an absolute path and `..`. Pure.
 */
export function subPathOf(mount: V1VolumeMount, environment: Environment): string {
  let subPath = mount.subPath ?? '';
  if (mount.subPathExpr) {
    const missing = new Set<string>();
    subPath = expandReferences(mount.subPathExpr, (name) => {
      const value = environment.get(name) ?? '';
      if (value === '') missing.add(name);
      return value;
    });
    if (missing.size > 0) throw configFailure(`missing value for ${[...missing].sort().join(', ')}`);
  }
  if (subPath.startsWith('/')) throw configFailure(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..')) {
    throw configFailure(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  return subPath;
}

/**
 * Binds a part of a volume to a path of its own, made first where it is missing, with the mode of the volume's folder.
 * Gives that path. Whoever writes in the volume can't make it lead out: it is opened step by step, and what was opened is
 * bound, not its name. A bind that is there and still of the same file stays. Throws PodFailure
 * `CreateContainerConfigError`, whose text keeps the host's secrets; the log has the cause (v1.20 `kubelet_pods.go`,
 * `makeMounts`, and `subpath_linux.go`).
 */
export async function bindSubpath(request: SubpathRequest, options: SubpathOptions): Promise<string> {
  const of = `for volumeMount "${request.volume}" of container "${request.container}"`;
  try {
    await makeMissing(request, options);
  } catch (error) {
    options.logger.warn('a subPath directory could not be made', { ...request, err: messageOf(error) });
    throw configFailure(`failed to create subPath directory ${of}`, error);
  }
  try {
    await bind(request, options);
  } catch (error) {
    options.logger.warn('a subPath could not be prepared', { ...request, err: messageOf(error) });
    throw configFailure(`failed to prepare subPath ${of}`, error);
  }
  return request.target;
}

async function makeMissing({ volumePath, subPath }: SubpathRequest, { identity }: SubpathOptions): Promise<void> {
  const root = identity.hostRoot;
  const base = await resolveInRoot(root, volumePath);
  const path = await resolveInRoot(root, join(base.path, subPath));
  if (path.missing === 0) return;
  const mode = (await stat(root + base.path)).mode & 0o7777;
  try {
    await makeFoldersInside(root, base.path, path.path, path.missing, mode);
  } catch (error) {
    // Another container of the pod's may have made it just now.
    if (errnoOf(error) !== 'EEXIST' || (await resolveInRoot(root, path.path)).missing > 0) throw error;
  }
}

async function bind({ volumePath, subPath, target }: SubpathRequest, options: SubpathOptions): Promise<void> {
  const { identity, mounter } = options;
  const root = identity.hostRoot;
  const base = await resolveInRoot(root, volumePath);
  const path = await resolveInRoot(root, join(base.path, subPath));
  // Through the host's root folder, so that it is a file of a mount that the host's mount(8) may bind.
  const handle = await openInside(root, base.path, path.path);
  try {
    const source = await handle.stat();
    if (mountAt(await mounter.mounts(), target)) {
      const bound = await stat(root + target).catch(() => undefined);
      if (bound && bound.dev === source.dev && bound.ino === source.ino) return;
      await mounter.unmount(target);
    }
    await makeTarget(target, source.isDirectory());
    await mounter.mount({ source: `/proc/${process.pid}/fd/${handle.fd}`, target, options: ['bind'] });
  } finally {
    await handle.close();
  }
}

/** A folder for a folder; a file fits all else. One left over from another kind of source gives way. */
async function makeTarget(target: string, isFolder: boolean): Promise<void> {
  await makeFolder(dirname(target), 0o750);
  const found = await lstat(target).catch(() => undefined);
  if (found && found.isDirectory() === isFolder) return;
  if (found) await (found.isDirectory() ? rmdir(target) : unlink(target));
  if (isFolder) await mkdir(target, { mode: 0o750 });
  else await writeFile(target, '', { mode: 0o640 });
}

function configFailure(text: string, cause?: unknown): PodFailure {
  return new PodFailure('CreateContainerConfigError', text, cause);
}
