import { makeDefaults } from '../../../src/config/defaults.js';
import type { ClusterOptions } from '../../../src/config/types.js';
import type { EngineInfo } from '../../../src/docker/types.js';
import { parseIptablesSave } from '../../../src/host/iptables-save.js';
import { type Facts, type Known, known, type PortFact } from '../../../src/preflight/facts.js';
import type { KnownFacts } from '../../../src/preflight/types.js';

export const goodInfo: EngineInfo = {
  endpoint: 'unix:///var/run/docker.sock',
  version: '20.10.24',
  apiVersion: '1.41',
  minApiVersion: '1.12',
  maxApiVersion: '1.41',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  architecture: 'x86_64',
  cgroupDriver: 'systemd',
  cgroupVersion: 2,
  storageDriver: 'overlay2',
  rootDir: '/var/lib/docker',
  memoryBytes: 8e9,
  cpus: 4,
  registryMirrors: [],
  insecureRegistries: [],
  httpProxy: '',
  httpsProxy: '',
  noProxy: '',
  rootless: false,
  liveRestore: false,
  warnings: [],
};

export const goodCluster: ClusterOptions = {
  ...makeDefaults(
    { hostname: 'vm', homeDir: '/root', workingDir: '/', nodeAddress: '192.0.2.2', sudoUser: undefined },
    {},
  ).cluster,
  podCidr: '172.17.0.0/16',
};

const disk = { existing: '/', freeBytes: 50e9, totalBytes: 100e9, freeInodes: 1e6, totalInodes: 2e6 };

type Values = KnownFacts<keyof Facts>;

export const goodValues: Values = {
  cluster: goodCluster,
  uid: 0,
  engine: { info: goodInfo, message: '', hint: '' },
  privileged: { runs: 'yes', message: '', missingCapabilities: [] },
  cgroups: { mode: 'v2', hierarchies: ['/sys/fs/cgroup'], controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'] },
  ports: [],
  memory: { totalBytes: 8e9, availableBytes: 6e9, swapTotalBytes: 0 },
  disks: [
    { ...disk, role: 'images', path: '/var/lib/docker' },
    { ...disk, role: 'etcd', path: '/var/lib/hyperup/etcd' },
    { ...disk, role: 'pods', path: '/var/lib/kubelet' },
    { ...disk, role: 'state', path: '/var/lib/hyperup' },
  ],
  cpus: 4,
  sysctls: { 'net.bridge.bridge-nf-call-iptables': '1', 'net.ipv4.ip_forward': '1' },
  propagation: { mountPoint: '/', shared: true },
  names: { hostname: 'vm', hostnameAddresses: ['127.0.1.1'], localAddresses: ['127.0.0.1', '192.0.2.2', 'fe80::1'] },
  routes: [
    { link: 'eth0', destination: '0.0.0.0/0', gateway: '192.0.2.1', metric: 0 },
    { link: 'eth0', destination: '192.0.2.0/24', gateway: undefined, metric: 0 },
    { link: 'docker0', destination: '172.17.0.0/16', gateway: undefined, metric: 0 },
  ],
  resolver: {
    path: '/etc/resolv.conf',
    nameservers: ['192.0.2.53'],
    searches: ['lan'],
    chosen: '/etc/resolv.conf',
    chosenNameservers: ['192.0.2.53'],
  },
  clock: {
    nowMs: Date.parse('2026-01-02T03:04:05Z'),
    newestKnownMs: Date.parse('2025-12-01T00:00:00Z'),
    newestKnown: 'image a',
  },
  formerInstall: { journaledChanges: 0, traces: [] },
  firewall: { firewalld: false, ufw: false },
  selinux: 'off',
  netfilter: [],
  kernel: { release: '6.1.0-18-amd64', overlay: true },
};

/** A machine with nothing to complain of, but for what the test says. */
export function makeFacts(values: Partial<Values> = {}, facts: Partial<Facts> = {}): Facts {
  const all = Object.entries({ ...goodValues, ...values }).map(([key, value]): [string, Known<unknown>] => [
    key,
    known(value),
  ]);
  return { ...(Object.fromEntries(all) as unknown as Facts), ...facts };
}

/** Tables of one iptables flavour from iptables-save's text. */
export function tables(text: string, flavour: 'nft' | 'legacy' = 'nft') {
  return parseIptablesSave(text, { family: 'ipv4', flavour, program: `iptables-${flavour}` });
}

/** A program that listens. */
export function listener(port: number, values: Partial<PortFact> = {}): PortFact {
  return {
    protocol: 'tcp',
    address: '0.0.0.0',
    port,
    inode: '1',
    pid: 7,
    comm: 'nginx',
    own: false,
    cmdline: '',
    ...values,
  };
}
