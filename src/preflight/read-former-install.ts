import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterOptions } from '../config/types.js';
import { type Host, hostPath, listHostDir, readHostText } from '../host/host.js';
import { readJournal } from '../host/journal.js';
import { isAtOrUnder } from '../host/mountinfo.js';
import { type HostProcess, listProcesses } from '../host/processes.js';
import type { FormerInstallFact, InstallTrace } from './facts.js';

/** Programs that are a cluster's, by the first 15 characters of their name, as the kernel keeps it. */
const clusterPrograms: ReadonlyMap<string, string> = new Map([
  ['kubelet', 'a kubelet'],
  ['kube-apiserver', 'kubeadm'],
  ['kube-controller', 'kubeadm'],
  ['kube-scheduler', 'kubeadm'],
  ['kube-proxy', 'kubeadm'],
  ['hyperkube', 'hyperkube'],
  ['k3s', 'k3s'],
  ['k3s-server', 'k3s'],
  ['k3s-agent', 'k3s'],
  ['rke2', 'rke2'],
  ['k0s', 'k0s'],
  ['kubelite', 'microk8s'],
]);

/** Folders of other distributions, whose presence alone is not in our way. */
const foreignFolders: readonly { readonly maker: string; readonly path: string }[] = [
  { maker: 'k3s', path: '/var/lib/rancher/k3s' },
  { maker: 'rke2', path: '/var/lib/rancher/rke2' },
  { maker: 'k0s', path: '/var/lib/k0s' },
  { maker: 'microk8s', path: '/var/snap/microk8s/current' },
  { maker: 'minikube', path: '/var/lib/minikube' },
];

/** A container that some kubelet made with this engine. */
export interface PodContainer {
  readonly id: string;
  readonly pod: string;
}

/**
 * Looks for clusters on this machine: our own journal, files where ours would go, programs in the host's network
 * (those of kind and its like live in networks of their own and are nobody's trouble), folders of other
 * distributions, and containers of another kubelet's, which ours would remove as orphans.
 */
export async function readFormerInstall(
  host: Pick<Host, 'root'>,
  cluster: Pick<ClusterOptions, 'paths'>,
  ownContainerIds: readonly string[],
  foreignPodContainers: readonly PodContainer[],
): Promise<FormerInstallFact> {
  const journal = await readJournal(hostPath(host, cluster.paths.stateDir));
  const [files, folders, programs] = await Promise.all([
    configTraces(host, cluster),
    folderTraces(host),
    programTraces(host, ownContainerIds),
  ]);
  const pods = [...new Set(foreignPodContainers.map(({ pod }) => pod))];
  const containers: InstallTrace[] =
    pods.length === 0
      ? []
      : [
          {
            maker: 'a kubelet',
            what: `${foreignPodContainers.length} containers of pods (${listText(pods)})`,
            blocking: true,
          },
        ];
  // Data that was kept is no install to go on with.
  const standing = (journal ?? []).filter(({ change }) => change.kind !== 'directory' || !change.kept);
  return { journaledChanges: standing.length, traces: [...files, ...programs, ...containers, ...folders] };
}

async function configTraces(
  host: Pick<Host, 'root'>,
  { paths }: Pick<ClusterOptions, 'paths'>,
): Promise<readonly InstallTrace[]> {
  const traces: InstallTrace[] = [];
  const folder = async (path: string, filter: (name: string) => boolean, blocking = true) => {
    const names = (await listHostDir(host, path)).filter(filter);
    if (names.length > 0) traces.push({ maker: 'kubeadm', what: `${path} has ${listText(names)}`, blocking });
  };
  const config = [...new Set([paths.configDir, '/etc/kubernetes'])];
  for (const path of config) {
    const blocking = path === paths.configDir;
    await folder(join(path, 'manifests'), (name) => /\.(?:ya?ml|json)$/.test(name), blocking);
    await folder(join(path, 'pki'), () => true, blocking);
    await folder(path, (name) => name.endsWith('.conf'), blocking);
  }
  // Data below our own folder was kept by `uninstall --keep-data`: it is taken up again.
  const keptData = isAtOrUnder(paths.etcdDir, paths.stateDir);
  await folder(paths.etcdDir, (name) => name === 'member', !keptData);
  if (paths.etcdDir !== '/var/lib/etcd') await folder('/var/lib/etcd', (name) => name === 'member', false);
  await folder(paths.kubeletDir, (name) => ['config.yaml', 'kubeadm-flags.env', 'cpu_manager_state'].includes(name));
  await folder(join(paths.kubeletDir, 'pods'), () => true);
  return traces;
}

async function folderTraces(host: Pick<Host, 'root'>): Promise<readonly InstallTrace[]> {
  const found = await Promise.all(
    foreignFolders.map(async ({ maker, path }) =>
      (await listHostDir(host, path)).length > 0 ? [{ maker, path }] : [],
    ),
  );
  return found.flat().map(({ maker, path }) => ({ maker, what: path, blocking: false }));
}

async function programTraces(
  host: Pick<Host, 'root'>,
  ownContainerIds: readonly string[],
): Promise<readonly InstallTrace[]> {
  const suspects = (await listProcesses(host)).filter(
    (process) => clusterPrograms.has(process.comm) && !isOfContainer(process, ownContainerIds),
  );
  const hostNetwork = await networkOf(host, 'self');
  const traces = await Promise.all(
    suspects.map(async ({ pid, comm }): Promise<readonly InstallTrace[]> => {
      const network = await networkOf(host, String(pid));
      if (network === undefined || network !== hostNetwork) return [];
      return [{ maker: clusterPrograms.get(comm) ?? comm, what: `${comm} runs (pid ${pid})`, blocking: true }];
    }),
  );
  return traces.flat();
}

/** True for a process of one of these containers. */
export function isOfContainer(process: Pick<HostProcess, 'cgroups'>, containerIds: readonly string[]): boolean {
  return containerIds.some((id) => process.cgroups.some((path) => path.includes(id)));
}

async function networkOf(host: Pick<Host, 'root'>, pid: string): Promise<string | undefined> {
  return readlink(hostPath(host, `/proc/${pid}/ns/net`)).catch(() => undefined);
}

function listText(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}

/** What firewalls of the distributions' are on. */
export async function readFirewall(
  host: Pick<Host, 'root'>,
): Promise<{ readonly firewalld: boolean; readonly ufw: boolean }> {
  const [processes, ufw] = await Promise.all([listProcesses(host), readHostText(host, '/etc/ufw/ufw.conf')]);
  return {
    firewalld: processes.some(({ comm }) => comm === 'firewalld'),
    ufw: /^\s*ENABLED=["']?yes/im.test(ufw ?? ''),
  };
}
