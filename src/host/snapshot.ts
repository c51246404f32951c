import { listCgroups } from './cgroups.js';
import { listFileTree } from './file-tree.js';
import type { Host } from './host.js';
import { readNetfilter } from './iptables-save.js';
import { listLinks, listRoutes } from './links.js';
import { readMounts } from './mountinfo.js';
import { listListeningPorts } from './ports.js';
import { listProcesses, processTree } from './processes.js';
import { readSysctl } from './sysctl.js';

export const snapshotSections = [
  'mounts',
  'netfilter',
  'links',
  'routes',
  'ports',
  'processes',
  'sysctls',
  'cgroups',
  'files',
] as const;

export type SnapshotSection = (typeof snapshotSections)[number];

/** A machine at one moment, as sorted lines a section: plain data, that can be stored as JSON and compared later. */
export type Snapshot = Readonly<Record<SnapshotSection, readonly string[]>>;

export interface SnapshotOptions {
  /** Folders whose files are recorded. */
  readonly roots: readonly string[];
  /** Folders in them that aren't looked into: the engine's image store, say. */
  readonly skip?: readonly string[];
  /** Kernel settings beside the ones that a cluster changes. */
  readonly sysctls?: readonly string[];
  readonly pid?: number;
}

/** The kernel settings that a kubelet (--protect-kernel-defaults=false), kube-proxy and hyperup itself change. */
export const clusterSysctls = [
  'kernel.panic',
  'kernel.panic_on_oops',
  'kernel.keys.root_maxkeys',
  'kernel.keys.root_maxbytes',
  'net.bridge.bridge-nf-call-iptables',
  'net.bridge.bridge-nf-call-ip6tables',
  'net.ipv4.conf.all.route_localnet',
  'net.ipv4.ip_forward',
  'net.ipv6.conf.all.forwarding',
  'net.netfilter.nf_conntrack_max',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait',
  'net.netfilter.nf_conntrack_tcp_timeout_established',
  'vm.overcommit_memory',
  'vm.panic_on_oom',
] as const;

/**
 * Records the machine: mounts, netfilter rules without counters, links, routes, listening ports, processes (this
 * one, what it started, and kernel threads left out), sysctls, cgroups, and the files under `roots`. The order of rules
 * within a chain isn't recorded. It leaves nothing else out: noise is for the reader to name (`diffSnapshots`).
 */
export async function takeSnapshot(host: Host, options: SnapshotOptions): Promise<Snapshot> {
  const { roots, skip = [], sysctls = [], pid = process.pid } = options;
  const [mounts, netfilter, links, routes, ports, processes, settings, cgroups, files] = await Promise.all([
    readMounts(host),
    readNetfilter(host.run),
    listLinks(host),
    listRoutes(host),
    listListeningPorts(host),
    listProcesses(host),
    Promise.all([...new Set([...clusterSysctls, ...sysctls])].map(async (key) => [key, await readSysctl(key, host)])),
    listCgroups(host),
    Promise.all(roots.map((root) => listFileTree(root, host, { skip }))),
  ]);
  const own = processTree(processes, pid);
  return {
    mounts: sorted(mounts.map((mount) => mountLine(mount.mountPoint, mount.fsType, mount.root, mount.tags))),
    netfilter: sorted(
      (netfilter ?? []).flatMap((table) => {
        const prefix = `${table.flavour} ${table.family} ${table.table}`;
        return [
          ...table.chains.map(({ name, policy }) => `${prefix} :${name} ${policy}`),
          ...table.rules.map((rule) => `${prefix} ${rule.text}`),
        ];
      }),
    ),
    links: sorted(links),
    routes: sorted(routes.map(({ destination, gateway, link }) => `${destination} via ${gateway ?? 'link'} ${link}`)),
    ports: sorted(
      ports
        .filter((port) => port.pid === undefined || !own.has(port.pid))
        .map(({ protocol, address, port, comm }) => `${protocol} ${address} ${port} ${comm ?? '?'}`),
    ),
    processes: sorted(
      processes
        .filter((process) => !own.has(process.pid) && process.cmdline.length > 0)
        .map(({ comm, cmdline }) => `${comm}: ${cmdline.join(' ')}`),
    ),
    sysctls: sorted(settings.map(([key, value]) => `${key} = ${value ?? '(absent)'}`)),
    cgroups,
    files: files.flat(),
  };
}

function mountLine(mountPoint: string, fsType: string, root: string, tags: readonly string[]): string {
  // Peer groups' numbers differ from one mount to the next; that there is one is what counts.
  const propagation = tags.map((tag) => tag.split(':')[0]).join(',');
  return `${mountPoint} ${fsType} ${root} ${propagation || 'private'}`;
}

function sorted(lines: readonly string[]): readonly string[] {
  return [...lines].sort();
}

export interface SnapshotDifference {
  readonly section: SnapshotSection;
  readonly change: 'added' | 'removed' | 'changed';
  /** The line that is there now, or that is gone. */
  readonly line: string;
  /** For `changed`, the line that was there before. */
  readonly before?: string;
}

/** Noise to leave out, as the caller knows it: a pattern on the lines of one section. */
export interface SnapshotNoise {
  readonly section: SnapshotSection;
  readonly pattern: RegExp;
}

/** What a later snapshot has more, less or otherwise, line by line; equal lines are counted. Pure. */
export function diffSnapshots(
  before: Snapshot,
  after: Snapshot,
  noise: readonly SnapshotNoise[] = [],
): readonly SnapshotDifference[] {
  return snapshotSections.flatMap((section) => {
    const patterns = noise.filter((entry) => entry.section === section).map(({ pattern }) => pattern);
    const heard = (line: string) => !patterns.some((pattern) => pattern.test(line));
    const gone = surplus(before[section], after[section]).filter(heard);
    const come = surplus(after[section], before[section]).filter(heard);
    return pairUp(section, gone, come);
  });
}

/** The lines that `a` has more often than `b`. */
function surplus(a: readonly string[], b: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const line of b) counts.set(line, (counts.get(line) ?? 0) + 1);
  return a.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

/** Sections whose lines begin with a name, so that a line gone and one come can be one thing that changed. */
const namedSections: ReadonlySet<SnapshotSection> = new Set(['sysctls', 'files', 'mounts']);

function pairUp(
  section: SnapshotSection,
  gone: readonly string[],
  come: readonly string[],
): readonly SnapshotDifference[] {
  const differences: SnapshotDifference[] = [];
  const unpaired = [...gone];
  for (const line of come) {
    const name = line.split(' ')[0];
    const index = namedSections.has(section) ? unpaired.findIndex((other) => other.split(' ')[0] === name) : -1;
    const [old] = index === -1 ? [] : unpaired.splice(index, 1);
    differences.push(
      old === undefined ? { section, change: 'added', line } : { section, change: 'changed', line, before: old },
    );
  }
  return [...differences, ...unpaired.map((line) => ({ section, change: 'removed' as const, line }))];
}

/** One difference as a plain line: `+ mounts: /var/lib/kubelet …`. */
export function formatDifference({ section, change, line, before }: SnapshotDifference): string {
  if (change === 'changed') return `~ ${section}: ${before} -> ${line}`;
  return `${change === 'added' ? '+' : '-'} ${section}: ${line}`;
}
