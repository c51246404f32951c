import { dirname, join, posix } from 'node:path';
import { pathExists, writeAtomic } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { podUidOf, validPathPart } from '../pod/pod-names.js';
import type { ContainerBind, KubeletIdentity, RuntimeSandbox } from '../types.js';

const mountPath = '/etc/resolv.conf';

/** Where a pod's resolver file is, where the engine writes none: in the pod's folder, and with it it goes. */
export function resolvConfPath(identity: Pick<KubeletIdentity, 'rootDir'>, pod: V1Pod): string {
  return join(identity.rootDir, 'pods', validPathPart(podUidOf(pod)), 'etc-resolv.conf');
}

export async function writeResolvConf(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path), 0o750);
  await writeAtomic(path, text, 0o644, { flush: false });
}

/**
 * What a container of such a pod mounts beside its volumes: as the engine's own, writable unless its whole root is not.
 * A file that somebody took away is made again, with what `textOf` gives. None where the container mounts one itself.
 */
export async function resolvConfBinds(
  { resolvConfPath: path }: Pick<RuntimeSandbox, 'resolvConfPath'>,
  container: V1Container,
  binds: readonly ContainerBind[],
  textOf: () => Promise<string>,
): Promise<readonly ContainerBind[]> {
  const isOwn = ({ containerPath }: ContainerBind) => posix.resolve('/', containerPath) === mountPath;
  if (path === undefined || binds.some(isOwn)) return [];
  if (!(await pathExists(path))) await writeResolvConf(path, await textOf());
  const readOnly = container.securityContext?.readOnlyRootFilesystem === true;
  return [{ hostPath: path, containerPath: mountPath, readOnly, propagation: 'rprivate' }];
}
