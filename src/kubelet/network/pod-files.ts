import { chmod, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { errnoOf, messageOf } from '../../base/errors.js';
import { readTextIfPresent } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { hostnameOf, isHostNetwork, podUidOf, validPathPart } from '../pod/pod-names.js';
import type { ContainerBind, KubeletIdentity, PodFiles, RuntimeContainer } from '../types.js';
import { hostFile } from './host-file.js';
import { hostNetworkHostsFile, managedHostsFile } from './hosts-file.js';
import { readLogTail } from './log-tail.js';

const hostsPath = '/etc/hosts';
/** All of a pod's messages together, in equal shares (v1.20 `status_manager.go` `normalizeStatus`). */
const podMessageBytes = 12 * 1024;
const logTailLines = 80;
const logTailBytes = 2048;

export interface PodFilesOptions {
  readonly identity: Pick<KubeletIdentity, 'rootDir' | 'hostRoot'>;
  readonly nodeHostname: string;
  readonly clusterDomain: string;
}

/** Keeps the hosts file of each pod and the termination log of each container instance, below the pod's folder. */
export function createPodFiles({ identity, nodeHostname, clusterDomain }: PodFilesOptions): PodFiles {
  const { rootDir, hostRoot } = identity;
  /** A pod's containers may start at once, and one hosts file is theirs; by path. */
  const writing = new Map<string, Promise<void>>();

  const podDir = (pod: V1Pod) => join(rootDir, 'pods', validPathPart(podUidOf(pod)));
  /** Eight hexadecimal digits, from the attempt, so that the file is found again from the instance alone. */
  const terminationLog = (pod: V1Pod, name: string, attempt: number) =>
    join(podDir(pod), 'containers', validPathPart(name), attempt.toString(16).padStart(8, '0'));

  async function makeHostsFile(pod: V1Pod, podIps: readonly string[]): Promise<string> {
    const aliases = pod.spec?.hostAliases;
    if (isHostNetwork(pod)) {
      const own = await readTextIfPresent(await hostFile(hostRoot, hostsPath));
      return hostNetworkHostsFile(own ?? '', aliases);
    }
    const { hostname, domain } = hostnameOf(pod, nodeHostname, clusterDomain);
    return managedHostsFile(podIps, hostname, domain, aliases);
  }

  async function hostsBind(pod: V1Pod, podIps: readonly string[]): Promise<ContainerBind> {
    const path = join(podDir(pod), 'etc-hosts');
    const content = await makeHostsFile(pod, podIps);
    const written = (writing.get(path) ?? Promise.resolve()).catch(() => {}).then(() => writeInPlace(path, content));
    writing.set(path, written);
    try {
      await written;
    } finally {
      if (writing.get(path) === written) writing.delete(path);
    }
    return { hostPath: path, containerPath: hostsPath, readOnly: false, propagation: 'rprivate' };
  }

  return {
    async containerBinds(pod, container, attempt, podIps) {
      const binds: ContainerBind[] = [];
      const mountsOwn = container.volumeMounts?.some((mount) => posix.normalize(mount.mountPath) === hostsPath);
      // Without an address there is nothing to say yet.
      if (!mountsOwn && (podIps.length > 0 || isHostNetwork(pod))) binds.push(await hostsBind(pod, podIps));
      const messagePath = container.terminationMessagePath ?? '/dev/termination-log';
      if (messagePath !== '') {
        const hostPath = terminationLog(pod, container.name, attempt);
        await makeEmptyFile(hostPath);
        const containerPath = posix.resolve('/', messagePath);
        binds.push({ hostPath, containerPath, readOnly: false, propagation: 'rprivate' });
      }
      return binds;
    },

    async readTerminationMessage(pod, instance, limitBytes) {
      const containers = allContainers(pod);
      const container = containers.find(({ name }) => name === instance.name);
      const share = Math.floor(podMessageBytes / Math.max(1, containers.length));
      const written = await readEnd(terminationLog(pod, instance.name, instance.attempt), limitBytes);
      if (written !== '' || !fallsBack(container, instance)) return firstBytes(written, share);
      try {
        const path = await hostFile(hostRoot, instance.logPath);
        return firstBytes(await readLogTail(path, logTailLines, Math.min(limitBytes, logTailBytes)), share);
      } catch (error) {
        return `Error reading termination message from logs: ${messageOf(error)}`;
      }
    },
  };
}

function allContainers({ spec }: V1Pod): readonly V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

/** What never ran has no log. */
function fallsBack(container: V1Container | undefined, instance: RuntimeContainer): boolean {
  return (
    container?.terminationMessagePolicy === 'FallbackToLogsOnError' &&
    instance.exitCode !== 0 &&
    instance.reason !== 'ContainerCannotRun' &&
    instance.logPath !== ''
  );
}

/** Containers have it bind-mounted: another file in its place would never be seen by them. */
async function writeInPlace(path: string, content: string): Promise<void> {
  if ((await readTextIfPresent(path)) === content) return;
  await makeFolder(dirname(path), 0o750);
  await writeFile(path, content, { mode: 0o644 });
  // The umask may have taken bits away.
  await chmod(path, 0o644);
}

/** A new file: one of an earlier instance with that number may still be mounted somewhere. */
async function makeEmptyFile(path: string): Promise<void> {
  await makeFolder(dirname(path), 0o750);
  await rm(path, { force: true, recursive: true });
  await (await open(path, 'wx', 0o666)).close();
  await chmod(path, 0o666);
}

/** The last bytes; a container may have written gigabytes. Empty where there is no file. */
async function readEnd(path: string, limitBytes: number): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.min(size, limitBytes));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    return `Error on reading termination log ${path}: ${messageOf(error)}`;
  }
}

function firstBytes(text: string, limit: number): string {
  return Buffer.byteLength(text) <= limit ? text : Buffer.from(text).toString('utf8', 0, limit);
}
