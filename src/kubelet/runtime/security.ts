import type { HostConfigBody } from '../../docker/runtime-types.js';
import type { V1Container, V1Pod, V1SeLinuxOptions } from '../../kube/pod-objects.js';
import { podUidOf } from '../pod/pod-names.js';
import { PodFailure } from '../types.js';

/** Who an image runs as: a number, a name, or nobody named. */
export interface ImageUser {
  readonly uid: number | undefined;
  readonly name: string;
}

/** Cuts `user[:group]` of an image. No user at all is root (v1.20 `kuberuntime/helpers.go` `getImageUser`). */
export function parseImageUser(text: string): ImageUser {
  const user = text.split(':')[0] ?? '';
  if (user === '') return { uid: 0, name: '' };
  return /^[+-]?\d+$/.test(user) ? { uid: Number(user), name: '' } : { uid: undefined, name: user };
}

/**
 * Refuses a container that must not run as root and may. Throws PodFailure `CreateContainerConfigError` with upstream's
 * words (v1.20 `kuberuntime/security_context.go` `verifyRunAsNonRoot`).
 */
export function verifyRunAsNonRoot(pod: V1Pod, container: V1Container, image: ImageUser): void {
  const podContext = pod.spec?.securityContext;
  const context = container.securityContext;
  if ((context?.runAsNonRoot ?? podContext?.runAsNonRoot) !== true) return;
  const wanted = context?.runAsUser ?? podContext?.runAsUser;
  const uid = wanted ?? image.uid;
  let fault: string | undefined;
  if (wanted === 0) fault = "container's runAsUser breaks non-root policy";
  else if (uid === 0) fault = 'container has runAsNonRoot and image will run as root';
  else if (uid === undefined) {
    fault = `container has runAsNonRoot and image has non-numeric user (${image.name}), cannot verify user is non-root`;
  }
  if (fault === undefined) return;
  const podText = `${pod.metadata?.name ?? ''}_${pod.metadata?.namespace ?? ''}(${podUidOf(pod)})`;
  throw new PodFailure('CreateContainerConfigError', `${fault} (pod: "${podText}", container: ${container.name})`);
}

/** The engine's `User`: what the pod wants, else the image's without its group, as upstream has it; empty is root. */
export function containerUser(pod: V1Pod, container: V1Container, image: ImageUser): string {
  const podContext = pod.spec?.securityContext;
  const context = container.securityContext;
  const group = context?.runAsGroup ?? podContext?.runAsGroup;
  const uid = context?.runAsUser ?? podContext?.runAsUser;
  const user = uid === undefined ? (image.uid?.toString() ?? image.name) : String(uid);
  if (group !== undefined) return `${user}:${group}`;
  return uid === undefined && user === '0' ? '' : user;
}

/** The engine's `User` of a sandbox. Throws PodFailure `CreatePodSandboxError` for a group without a user. */
export function sandboxUser(pod: V1Pod): string | undefined {
  const { runAsUser, runAsGroup } = pod.spec?.securityContext ?? {};
  if (runAsGroup === undefined) return runAsUser?.toString();
  if (runAsUser === undefined) {
    throw new PodFailure('CreatePodSandboxError', 'runAsGroup is specified without a runAsUser');
  }
  return `${runAsUser}:${runAsGroup}`;
}

/** Groups that the processes belong to besides their own: `fsGroup`, then `supplementalGroups`. */
export function supplementalGroups(pod: V1Pod): readonly string[] {
  const { fsGroup, supplementalGroups: more } = pod.spec?.securityContext ?? {};
  return [...(fsGroup === undefined ? [] : [fsGroup]), ...(more ?? [])].map(String);
}

/** The label that SELinux goes by, as `SecurityOpt` of the engine. */
export function seLinuxOptions(options: V1SeLinuxOptions | undefined): readonly string[] {
  return (['user', 'role', 'type', 'level'] as const).flatMap((part) => {
    const value = options?.[part] ?? '';
    return value === '' ? [] : [`label=${part}:${value}`];
  });
}

/**
 * All of a container's security context but its user and its profiles (v1.20 `dockershim/security_context.go`).
 * `profiles` are the `SecurityOpt` of seccomp and AppArmor.
 */
export function containerSecurity(
  pod: V1Pod,
  container: V1Container,
  profiles: readonly string[],
): Pick<
  HostConfigBody,
  'Privileged' | 'ReadonlyRootfs' | 'CapAdd' | 'CapDrop' | 'GroupAdd' | 'SecurityOpt' | 'MaskedPaths' | 'ReadonlyPaths'
> {
  const context = container.securityContext ?? {};
  const groups = supplementalGroups(pod);
  const seLinux = seLinuxOptions(context.seLinuxOptions ?? pod.spec?.securityContext?.seLinuxOptions);
  const options = [
    ...seLinux,
    ...(context.allowPrivilegeEscalation === false ? ['no-new-privileges'] : []),
    ...profiles,
  ];
  return {
    Privileged: context.privileged === true,
    ReadonlyRootfs: context.readOnlyRootFilesystem === true,
    ...(context.capabilities?.add ? { CapAdd: context.capabilities.add.map(withoutPrefix) } : {}),
    ...(context.capabilities?.drop ? { CapDrop: context.capabilities.drop.map(withoutPrefix) } : {}),
    ...(groups.length > 0 ? { GroupAdd: groups } : {}),
    ...(options.length > 0 ? { SecurityOpt: options } : {}),
    // Without these the engine has its own lists, which are Kubernetes' default.
    ...(context.procMount === 'Unmasked' && context.privileged !== true ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

function withoutPrefix(capability: string): string {
  return capability.replace(/^CAP_/, '');
}
