import { makeFolder } from '../../base/make-folder.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { KubeletIdentity } from '../types.js';
import { findLocalSource } from './block-device.js';
import type { DeviceMounts } from './device-mounts.js';
import { type Mounter, mountAt } from './mounter.js';
import { setOwnership } from './ownership.js';
import type { VolumeLayout } from './volume-layout.js';
import type { VolumePlan } from './volume-plan.js';

export interface LocalVolumeOptions {
  readonly identity: Pick<KubeletIdentity, 'hostRoot'>;
  readonly layout: VolumeLayout;
  readonly mounter: Mounter;
  readonly devices: DeviceMounts;
}

type LocalPlan = Extract<VolumePlan, { kind: 'local' }>;

/**
 * Binds a folder of the host's, or what is on a block device of its, into the pod's folder; the first pod's group gets
 * it. Idempotent. Throws HyperupErrors and system errors (v1.20 `pkg/volume/local/local.go`).
 */
export async function setUpLocal(pod: V1Pod, plan: LocalPlan, options: LocalVolumeOptions): Promise<void> {
  const { path, source, fsType, readOnly, mountOptions, innerName } = plan;
  const { mounter, identity, devices } = options;
  if (mountAt(await mounter.mounts(), path)) return;
  const found = await findLocalSource(identity.hostRoot, source);
  // Before the device is mounted: by this folder the pod's end knows of it.
  await makeFolder(path, 0o750);
  if (found.type === 'directory') return bind(pod, plan, found.path, mountOptions, options);
  // The options are those of the mount that is bound.
  await devices.use({ name: innerName, device: found.path, fsType, readOnly, mountOptions }, (mounted) =>
    bind(pod, plan, mounted, [], options),
  );
}

async function bind(
  pod: V1Pod,
  { path, readOnly, mountOptions }: LocalPlan,
  source: string,
  bindOptions: readonly string[],
  { mounter, layout }: LocalVolumeOptions,
): Promise<void> {
  await mounter.mount({ source, target: path, options: ['bind', ...(readOnly ? ['ro'] : []), ...bindOptions] });
  const { fsGroup, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
  if (fsGroup === undefined || readOnly || mountOptions.includes('ro')) return;
  const mounts = await mounter.mounts();
  const own = mountAt(mounts, path);
  // Written once, by the first pod that uses it.
  const shared = mounts.some(
    (mount) =>
      mount.mountPoint !== path &&
      mount.mountPoint.startsWith(`${layout.podsDir}/`) &&
      mount.device === own?.device &&
      mount.root === own.root,
  );
  if (!shared) await setOwnership(path, { fsGroup, readOnly: false, policy: fsGroupChangePolicy });
}
