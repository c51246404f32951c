import { HyperupError, messageOf } from '../../base/errors.js';
import type { V1Container, V1Pod, V1VolumeMount } from '../../kube/pod-objects.js';
import { podUidOf } from '../pod/pod-names.js';
import { type ContainerBind, type Environment, PodFailure } from '../types.js';
import { ensureHostPathExists } from './host-path.js';
import { bindSubpath, type SubpathOptions, subPathOf } from './subpath.js';
import type { VolumeLayout } from './volume-layout.js';
import type { VolumePlan } from './volume-plan.js';

export interface ContainerBindsOptions extends SubpathOptions {
  readonly layout: VolumeLayout;
}

const propagations: Readonly<Record<string, ContainerBind['propagation']>> = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
};

/**
 * What a container mounts of its pod's volumes, in its own order; subpaths are bound, and folders of the host's that
 * nobody checked are made. `planOf` gives the volumes that are set up. Throws PodFailure `CreateContainerConfigError`
 * (v1.20 `pkg/kubelet/kubelet_pods.go`, `makeMounts`).
 */
export async function makeContainerBinds(
  pod: V1Pod,
  container: V1Container,
  environment: Environment,
  planOf: (volume: string) => VolumePlan | undefined,
  options: ContainerBindsOptions,
): Promise<readonly ContainerBind[]> {
  const binds: ContainerBind[] = [];
  // One after the other: two mounts may be of one subpath that isn't there yet.
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const plan = planOf(mount.name);
    if (!plan || plan.kind === 'device') {
      throw configFailure(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    }
    const hostPath = await hostPathOf(pod, container, mount, index, plan, environment, options);
    const { mountPath, mountPropagation = 'None' } = mount;
    const propagation = propagations[mountPropagation];
    if (propagation === undefined) throw configFailure(`invalid MountPropagation mode: "${mountPropagation}"`);
    binds.push({
      hostPath,
      containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
      readOnly: plan.readOnly || (mount.readOnly ?? false),
      propagation,
    });
  }
  return binds;
}

async function hostPathOf(
  pod: V1Pod,
  container: V1Container,
  mount: V1VolumeMount,
  index: number,
  plan: VolumePlan,
  environment: Environment,
  options: ContainerBindsOptions,
): Promise<string> {
  const subPath = subPathOf(mount, environment);
  if (plan.kind === 'hostPath') {
    try {
      await ensureHostPathExists(options.identity.hostRoot, plan.path);
    } catch (error) {
      throw configFailure(`failed to create host path ${plan.path}: ${messageOf(error)}`, error);
    }
  }
  if (subPath === '') return plan.path;
  const request = {
    subPath,
    volumePath: plan.path,
    target: targetOf(pod, plan.innerName, container.name, index, options.layout),
    volume: mount.name,
    container: container.name,
  };
  return bindSubpath(request, options);
}

function targetOf(pod: V1Pod, volume: string, container: string, index: number, layout: VolumeLayout): string {
  try {
    return layout.subpathTarget(podUidOf(pod), volume, container, index);
  } catch (error) {
    if (error instanceof HyperupError) throw configFailure(error.message, error);
    throw error;
  }
}

function configFailure(text: string, cause?: unknown): PodFailure {
  return new PodFailure('CreateContainerConfigError', text, cause);
}
