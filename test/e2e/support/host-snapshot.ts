import { listCgroups, listContainers, listProcesses } from './host-engine.js';
import { listFiles } from './host-files.js';
import { listAddresses, listLinks, listMounts, listNetfilter, listRoutes } from './host-kernel.js';
import { hostNoise, type NoisePattern } from './host-noise.js';
import { listSysctls } from './host-sysctls.js';

/** One aspect of the host: a line for each thing, unique and sorted. */
export type SnapshotSection = readonly string[];

const readers = {
  mounts: listMounts,
  links: listLinks,
  addresses: listAddresses,
  routes: listRoutes,
  netfilter: listNetfilter,
  containers: listContainers,
  processes: listProcesses,
  cgroups: listCgroups,
  sysctls: listSysctls,
  files: listFiles,
} satisfies Record<string, () => Promise<readonly string[]>>;

export type SectionName = keyof typeof readers;

/** All that an install may change on a host, as text that two moments can be compared by. */
export type HostSnapshot = Readonly<Record<SectionName, SnapshotSection>>;

/** Reads the host. Changes nothing; needs root. */
export async function hostSnapshot(): Promise<HostSnapshot> {
  const read = async (name: SectionName) => [...new Set(await readers[name]())].sort();
  const [mounts, links, addresses, routes, netfilter, containers, processes, cgroups, sysctls, files] =
    await Promise.all([
      read('mounts'),
      read('links'),
      read('addresses'),
      read('routes'),
      read('netfilter'),
      read('containers'),
      read('processes'),
      read('cgroups'),
      read('sysctls'),
      read('files'),
    ]);
  return { mounts, links, addresses, routes, netfilter, containers, processes, cgroups, sysctls, files };
}

/**
 * What differs, one line each (`mounts: + …` came, `files: - …` went), without the host's own noise. Empty where the
 * machine is as it was.
 */
export function compareSnapshots(
  before: HostSnapshot,
  after: HostSnapshot,
  noise: readonly NoisePattern[] = hostNoise,
): readonly string[] {
  const differences: string[] = [];
  for (const section of Object.keys(readers) as SectionName[]) {
    const was = new Set(before[section]);
    const is = new Set(after[section]);
    const isNoise = (line: string) => noise.some((pattern) => pattern.section === section && pattern.line.test(line));
    for (const line of before[section]) if (!is.has(line) && !isNoise(line)) differences.push(`${section}: - ${line}`);
    for (const line of after[section]) if (!was.has(line) && !isNoise(line)) differences.push(`${section}: + ${line}`);
  }
  return differences;
}
