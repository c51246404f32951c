import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { V1Container, V1Pod, V1SeccompProfile } from '../../kube/pod-objects.js';

const podSeccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
const containerSeccompAnnotation = 'container.seccomp.security.alpha.kubernetes.io/';
const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';
const localhostPrefix = 'localhost/';

export interface SeccompOptions {
  /** Folder of the node's own profiles. */
  readonly profileRoot: string;
  /** A container that doesn't say gets the engine's profile instead of none. */
  readonly seccompDefault: boolean;
}

/**
 * A container's profiles as `SecurityOpt` of the engine. Reads the node's seccomp profile where the pod wants one. Throws
 * `InvalidConfig` for an unknown or unreadable profile (v1.20 `dockershim/helpers_linux.go`).
 */
export async function profileOptions(
  pod: V1Pod,
  container: V1Container,
  options: SeccompOptions,
): Promise<readonly string[]> {
  const appArmor = appArmorProfile(pod, container);
  const seccomp = await seccompOption(seccompProfile(pod, container), options);
  return [...(appArmor === '' ? [] : [`apparmor=${appArmor}`]), ...(seccomp === undefined ? [] : [seccomp])];
}

/**
 * What decides, in this order: the container's field, its annotation, the pod's field, its annotation. Spelled as
 * annotations are; empty where nothing says (v1.20 `kuberuntime/helpers.go` `getSeccompProfilePath`).
 */
export function seccompProfile(pod: V1Pod, container: V1Container): string {
  const annotations = pod.metadata?.annotations ?? {};
  const own = container.securityContext?.seccompProfile;
  if (own) return ofField(own);
  const ownAnnotation = annotations[`${containerSeccompAnnotation}${container.name}`];
  if (ownAnnotation !== undefined) return ownAnnotation;
  const ofPod = pod.spec?.securityContext?.seccompProfile;
  if (ofPod) return ofField(ofPod);
  return annotations[podSeccompAnnotation] ?? '';
}

function ofField(profile: V1SeccompProfile): string {
  if (profile.type === 'RuntimeDefault') return 'runtime/default';
  if (profile.type === 'Unconfined') return 'unconfined';
  return profile.localhostProfile ? `${localhostPrefix}${profile.localhostProfile}` : '';
}

async function seccompOption(profile: string, options: SeccompOptions): Promise<string | undefined> {
  if (profile === 'unconfined') return 'seccomp=unconfined';
  if (profile === '') return options.seccompDefault ? undefined : 'seccomp=unconfined';
  // The engine has its own profile where nothing is said.
  if (profile === 'runtime/default' || profile === 'docker/default') return undefined;
  if (!profile.startsWith(localhostPrefix)) {
    throw new HyperupError('InvalidConfig', `unknown seccomp profile option: ${profile}`);
  }
  const path = join(options.profileRoot, profile.slice(localhostPrefix.length));
  if (!path.startsWith(join(options.profileRoot, '/'))) {
    throw new HyperupError('InvalidConfig', `seccomp profile "${profile}" leads out of ${options.profileRoot}`);
  }
  try {
    return `seccomp=${JSON.stringify(JSON.parse(await readFile(path, 'utf8')))}`;
  } catch (error) {
    throw new HyperupError('InvalidConfig', `cannot load seccomp profile "${path}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** A profile's name, `unconfined`, or empty for the engine's own. The field is newer (1.30) and outranks the annotation. */
export function appArmorProfile(pod: V1Pod, container: V1Container): string {
  const field = container.securityContext?.appArmorProfile;
  const annotation = pod.metadata?.annotations?.[`${appArmorAnnotation}${container.name}`];
  const inherited = pod.spec?.securityContext?.appArmorProfile;
  const profile = field ? ofField(field) : (annotation ?? (inherited ? ofField(inherited) : ''));
  return profile === 'runtime/default' ? '' : profile.replace(/^localhost\//, '');
}
