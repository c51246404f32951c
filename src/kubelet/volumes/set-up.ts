import { chmod, lchown, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, HyperupError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { wholeValue } from '../pod/quantity.js';
import { findDevice } from './block-device.js';
import { ensureHostPath } from './host-path.js';
import { type LocalVolumeOptions, setUpLocal } from './local-volume.js';
import { mountAt } from './mounter.js';
import type { VolumePlan } from './volume-plan.js';
import { allContainers } from './volume-use.js';

export type SetUpOptions = LocalVolumeOptions;

type PlanOf<K extends VolumePlan['kind']> = Extract<VolumePlan, { kind: K }>;

/** The kinds that are set up once and then left alone. Idempotent, also after a restart of either. Throws HyperupErrors and system errors. */
export async function setUpVolume(
  pod: V1Pod,
  plan: Exclude<VolumePlan, { kind: 'files' }>,
  options: SetUpOptions,
): Promise<void> {
  switch (plan.kind) {
    case 'emptyDir':
      return plan.medium === '' ? setUpFolder(pod, plan) : setUpMemory(pod, plan, options);
    case 'hostPath':
      return ensureHostPath(options.identity.hostRoot, plan.path, plan.type);
    case 'local':
      return setUpLocal(pod, plan, options);
    case 'device':
      // Nothing stands on the host for it; the engine makes its node in the container.
      await findDevice(options.identity.hostRoot, plan.path);
      return;
    case 'nfs':
      return setUpNfs(plan, options);
  }
}

/** Made aside, so that a folder that is there is ready: a container may have changed its mode since. */
async function setUpFolder(pod: V1Pod, { path }: PlanOf<'emptyDir'>): Promise<void> {
  if (await isFolder(path)) return;
  const aside = join(dirname(path), `.${path.slice(dirname(path).length + 1)}.new`);
  await rm(aside, { recursive: true, force: true });
  await makeFolder(dirname(path), 0o750);
  await mkdir(aside);
  const fsGroup = pod.spec?.securityContext?.fsGroup;
  if (fsGroup !== undefined) await lchown(aside, 0, fsGroup);
  await chmod(aside, fsGroup === undefined ? 0o777 : 0o2777);
  await rename(aside, path);
}

async function setUpMemory(pod: V1Pod, plan: PlanOf<'emptyDir'>, { mounter }: SetUpOptions): Promise<void> {
  const { path, medium, sizeLimit } = plan;
  const huge = /^HugePages(?:-(.+))?$/.exec(medium);
  if (medium !== 'Memory' && !huge) throw new HyperupError('InvalidConfig', `unknown storage medium "${medium}"`);
  const fsType = huge ? 'hugetlbfs' : 'tmpfs';
  if (mountAt(await mounter.mounts(), path)?.fsType === fsType) return;
  const fsGroup = pod.spec?.securityContext?.fsGroup;
  const options = fsGroup === undefined ? ['mode=1777'] : ['mode=3777', `gid=${fsGroup}`];
  const size = sizeLimit === undefined ? 0 : wholeValue(sizeLimit);
  if (huge) options.push(`pagesize=${pageSizeOf(pod, medium, huge[1])}`);
  else if (size > 0) options.push(`size=${size}`);
  await makeFolder(path, 0o750);
  await mounter.mount({ source: huge ? 'nodev' : 'tmpfs', target: path, fsType, options });
}

function pageSizeOf(pod: V1Pod, medium: string, wanted: string | undefined): string {
  const sizes = new Set<string>();
  for (const { resources } of allContainers(pod)) {
    for (const name of Object.keys(resources?.requests ?? resources?.limits ?? {})) {
      const size = /^hugepages-(.+)$/.exec(name)?.[1];
      if (size !== undefined && (wanted === undefined || wanted === size)) sizes.add(size);
    }
  }
  const [size] = sizes;
  if (sizes.size > 1) {
    throw new HyperupError(
      'InvalidConfig',
      `medium: ${medium} can't be used if container requests multiple huge page sizes`,
    );
  }
  if (size === undefined) {
    throw new HyperupError(
      'InvalidConfig',
      `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    );
  }
  return size;
}

async function setUpNfs(plan: PlanOf<'nfs'>, { mounter }: SetUpOptions): Promise<void> {
  const { path, source, readOnly, mountOptions } = plan;
  if (mountAt(await mounter.mounts(), path)) return;
  await makeFolder(path, 0o750);
  await mounter.mount({
    source: `${source.server}:${source.path}`,
    target: path,
    fsType: 'nfs',
    options: [...mountOptions, ...(readOnly ? ['ro'] : [])],
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
