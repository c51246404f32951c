import type { V1Pod } from '../../kube/pod-objects.js';

const header = '# Kubernetes-managed hosts file.\n';
const hostNetworkHeader = '# Kubernetes-managed hosts file (host network).\n';
const localEntries = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

type HostAliases = NonNullable<V1Pod['spec']>['hostAliases'];

/** /etc/hosts of a pod with a network of its own; byte for byte v1.20's `kubelet_pods.go` `managedHostsFileContent`. */
export function managedHostsFile(
  podIps: readonly string[],
  hostname: string,
  domain: string,
  aliases: HostAliases,
): string {
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  const lines = [...localEntries, ...podIps.map((ip) => `${ip}\t${names}`)];
  return `${header}${lines.join('\n')}\n${aliasEntries(aliases)}`;
}

/** /etc/hosts of a pod on the host's network: the node's own, and the pod's aliases. */
export function hostNetworkHostsFile(nodeHosts: string, aliases: HostAliases): string {
  return `${hostNetworkHeader}${nodeHosts}${aliasEntries(aliases)}`;
}

function aliasEntries(aliases: HostAliases): string {
  if (aliases === undefined || aliases.length === 0) return '';
  const lines = aliases.map(({ ip = '', hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`);
  return `\n# Entries added by HostAliases.\n${lines.join('')}`;
}
