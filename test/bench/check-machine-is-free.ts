import { readdir } from 'node:fs/promises';
import { pathExists } from '../../src/base/files.js';
import type { ClusterPaths } from '../../src/config/types.js';
import type { Host } from '../../src/host/host.js';
import { readJournal } from '../../src/host/journal.js';
import { listListeningPorts } from '../../src/host/ports.js';
import { kubeadmFolders } from './kubeadm-side.js';

/** What an API server, etcd and a kubelet listen on by default. */
const ports = [2379, 6443, 10_250] as const;

/** Throws, naming all that is in the way, where a cluster of anybody's is on this machine: a bench would destroy it. */
export async function checkMachineIsFree(host: Host, paths: Pick<ClusterPaths, 'stateDir' | 'etcdDir'>): Promise<void> {
  const { stateDir, etcdDir } = paths;
  const faults: string[] = [];
  if (process.getuid?.() !== 0) faults.push('it needs root');
  if ((await readJournal(stateDir)) !== undefined) {
    faults.push(`a cluster is installed (journal in ${stateDir}): run hyperup uninstall first`);
  }
  for (const folder of [...kubeadmFolders, etcdDir]) {
    if ((await pathExists(folder)) && (await readdir(folder)).length > 0) faults.push(`${folder} has files in it`);
  }
  const listening = await listListeningPorts(host);
  for (const port of ports) {
    const found = listening.find((socket) => socket.protocol === 'tcp' && socket.port === port);
    if (found) faults.push(`port ${port} is taken by ${found.comm ?? 'a process'}`);
  }
  if (faults.length > 0) throw new Error(`bench: this machine is not free for it: ${faults.join('; ')}`);
}
