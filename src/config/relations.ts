import { isIPv4 } from 'node:net';
import { cidrContains, cidrsOverlap } from '../base/cidr.js';
import { isHyperupError, messageOf } from '../base/errors.js';
import { hasDnsAddress } from './dns-address.js';
import { nearestName } from './nearest.js';
import { parsePortRange, readIpv4Range } from './schema.js';
import type { InstallOptions } from './types.js';

/** What is asked of a release here; a `ReleaseSpec` fits. */
export interface KnownRelease {
  readonly version: string;
  readonly dockershim: boolean;
}

/** What other rooms know and options are checked against; what is absent or empty is not checked. */
export interface KnownNames {
  readonly releases?: readonly KnownRelease[] | undefined;
  readonly preflightIds?: readonly string[] | undefined;
  /** Reads a list of mirrors; throws where it is malformed. */
  readonly readMirrors?: ((mirrors: readonly string[]) => unknown) | undefined;
}

/** A fault between options that are each well-formed. `paths` are all that are involved. */
export interface RelationFault {
  readonly paths: readonly string[];
  readonly message: string;
}

/** How a fault speaks of an option: by the spelling in which the user set it, else by its path. */
export type NameOption = (path: string) => string;

/** Every contradiction between options. Faults that involve an option that is itself malformed are the caller's to drop. */
export function findRelationFaults(
  options: InstallOptions,
  known: KnownNames,
  name: NameOption = (path) => path,
): readonly RelationFault[] {
  return [
    ...releaseFaults(options, known.releases ?? []),
    ...mirrorFaults(options, known.readMirrors),
    ...preflightFaults(options, known.preflightIds ?? []),
    ...portFaults(options, name),
    ...rangeFaults(options, name),
    ...dnsFaults(options, name),
    ...folderFaults(options, name),
  ];
}

function releaseFaults({ cluster }: InstallOptions, releases: readonly KnownRelease[]): readonly RelationFault[] {
  if (releases.length === 0) return [];
  const paths = ['cluster.kubernetesVersion'];
  const release = releases.find((candidate) => candidate.version === cluster.kubernetesVersion);
  if (release === undefined) {
    const versions = releases.map((candidate) => candidate.version);
    const near = nearestName(cluster.kubernetesVersion, versions);
    const list = versions.length === 1 ? versions.join('') : `one of ${versions.join(', ')}`;
    const suggestion = near === undefined || versions.length === 1 ? '' : ` (nearest: ${near})`;
    return [{ paths, message: `got ${cluster.kubernetesVersion}, want ${list}${suggestion}` }];
  }
  if (cluster.kubelet !== 'hyperkube' || release.dockershim) return [];
  const message = `got hyperkube with ${release.version}, whose kubelet can't drive Docker; want builtin or auto`;
  return [{ paths: ['cluster.kubelet', ...paths], message }];
}

/** One fault a mirror; the list as a whole is looked at only where each is well-formed. */
function mirrorFaults({ images }: InstallOptions, readMirrors: KnownNames['readMirrors']): readonly RelationFault[] {
  if (readMirrors === undefined) return [];
  const faultsOf = (mirrors: readonly string[]): readonly RelationFault[] => {
    try {
      readMirrors(mirrors);
      return [];
    } catch (error) {
      const hint = isHyperupError(error) && error.hint !== undefined ? ` (${error.hint})` : '';
      return [{ paths: ['images.mirrors'], message: `${messageOf(error)}${hint}` }];
    }
  };
  const faults = images.mirrors.flatMap((mirror) => faultsOf([mirror]));
  return faults.length > 0 ? faults : faultsOf(images.mirrors);
}

function preflightFaults(options: InstallOptions, ids: readonly string[]): readonly RelationFault[] {
  if (ids.length === 0) return [];
  return options.skipPreflight
    .filter((id) => !ids.includes(id))
    .map((id) => {
      const near = nearestName(id, ids);
      const want = near === undefined ? `one of ${ids.join(', ')}` : `a known check; did you mean ${near}?`;
      return { paths: ['skipPreflight'], message: `got ${JSON.stringify(id)}, want ${want}` };
    });
}

function portFaults({ cluster }: InstallOptions, name: NameOption): readonly RelationFault[] {
  const faults: RelationFault[] = [];
  if (cluster.ports.api !== cluster.apiPort) {
    const message = `got ${cluster.ports.api}, want ${cluster.apiPort}, the same as ${name('cluster.apiPort')}`;
    faults.push({ paths: ['cluster.ports.api', 'cluster.apiPort'], message });
  }
  const ports = Object.entries(cluster.ports).map(([key, port]) => ({
    path: key === 'api' ? 'cluster.apiPort' : `cluster.ports.${key}`,
    port,
  }));
  const [low, high] = parsePortRange(cluster.nodePortRange) ?? [0, -1];
  for (const [index, { path, port }] of ports.entries()) {
    const other = ports.slice(0, index).find((earlier) => earlier.port === port);
    if (other !== undefined) {
      faults.push({ paths: [path, other.path], message: `got ${port}, which ${name(other.path)} has too` });
    }
    if (port >= low && port <= high) {
      const message = `got ${port}, want a port outside ${name('cluster.nodePortRange')} ${cluster.nodePortRange}`;
      faults.push({ paths: [path, 'cluster.nodePortRange'], message });
    }
  }
  return faults;
}

function rangeFaults({ cluster }: InstallOptions, name: NameOption): readonly RelationFault[] {
  const faults: RelationFault[] = [];
  const services = readIpv4Range(cluster.serviceCidr);
  const pods = cluster.podCidr === undefined ? undefined : readIpv4Range(cluster.podCidr);
  const node = isIPv4(cluster.nodeAddress) ? cluster.nodeAddress : undefined;
  if (services !== undefined && pods !== undefined && cidrsOverlap(services, pods)) {
    const message = `got ${cluster.podCidr}, which overlaps ${name('cluster.serviceCidr')} ${cluster.serviceCidr}`;
    faults.push({ paths: ['cluster.podCidr', 'cluster.serviceCidr'], message });
  }
  for (const [path, range, cidr] of [
    ['cluster.serviceCidr', services, cluster.serviceCidr],
    ['cluster.podCidr', pods, cluster.podCidr],
  ] as const) {
    if (range === undefined || node === undefined || !cidrContains(range, node)) continue;
    const message = `got ${cidr}, which holds the node's own address ${cluster.nodeAddress}`;
    faults.push({ paths: [path, 'cluster.nodeAddress'], message });
  }
  return faults;
}

/** The DNS server has the tenth address of the range. */
function dnsFaults({ cluster }: InstallOptions, name: NameOption): readonly RelationFault[] {
  const range = readIpv4Range(cluster.serviceCidr);
  if (range === undefined || !['coredns', 'builtin'].includes(cluster.dns) || hasDnsAddress(cluster.serviceCidr))
    return [];
  const message = `got ${cluster.serviceCidr}, want at least a /28 for ${name('cluster.dns')} ${cluster.dns}`;
  return [{ paths: ['cluster.serviceCidr', 'cluster.dns'], message }];
}

/** Folders are apart from one another, save that etcd's may lie below hyperup's own. */
function folderFaults({ cluster }: InstallOptions, name: NameOption): readonly RelationFault[] {
  const folders = Object.entries(cluster.paths).map(([key, path]) => ({
    key: `cluster.paths.${key}`,
    path: String(path),
  }));
  return folders.flatMap((outer) =>
    folders
      .filter((inner) => inner !== outer && `${inner.path}/`.startsWith(`${outer.path}/`))
      .filter(
        (inner) => !(outer.key.endsWith('.stateDir') && inner.key.endsWith('.etcdDir') && inner.path !== outer.path),
      )
      .filter((inner) => inner.path !== outer.path || inner.key > outer.key)
      .map((inner) => ({
        paths: [inner.key, outer.key],
        message: `got ${inner.path}, want a folder apart from ${name(outer.key)} ${outer.path}`,
      })),
  );
}
