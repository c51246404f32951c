import { messageOf } from '../../base/errors.js';
import type { V1Container } from '../../kube/pod-objects.js';
import { type ContainerDevice, PodFailure } from '../types.js';
import { findDevice } from './block-device.js';
import type { VolumePlan } from './volume-plan.js';

/**
 * The block devices that a container gets of its pod's volumes, in its own order. `planOf` gives the volumes that are set
 * up. Throws PodFailure `CreateContainerConfigError` (v1.20 `pkg/kubelet/kubelet_pods.go`, `makeBlockVolumes`).
 */
export async function makeContainerDevices(
  container: V1Container,
  planOf: (volume: string) => VolumePlan | undefined,
  hostRoot: string,
): Promise<readonly ContainerDevice[]> {
  const devices: ContainerDevice[] = [];
  for (const { name, devicePath } of container.volumeDevices ?? []) {
    if (!devicePath.startsWith('/')) throw failure(`error DevicePath \`${devicePath}\` must be an absolute path`);
    const plan = planOf(name);
    if (plan?.kind !== 'device')
      throw failure(`cannot find volume "${name}" to pass into container "${container.name}"`);
    try {
      const hostPath = await findDevice(hostRoot, plan.path);
      devices.push({ hostPath, containerPath: devicePath, readOnly: plan.readOnly });
    } catch (error) {
      throw failure(messageOf(error), error);
    }
  }
  return devices;
}

function failure(text: string, cause?: unknown): PodFailure {
  return new PodFailure('CreateContainerConfigError', text, cause);
}
