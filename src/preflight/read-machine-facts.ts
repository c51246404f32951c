import type { ClusterOptions } from '../config/types.js';
import type { EngineInfo } from '../docker/types.js';
import { readDiskSpace } from '../host/memory-disk.js';
import { listListeningPorts } from '../host/ports.js';
import { readProcess } from '../host/processes.js';
import { withDeadline } from './deadline.js';
import type { FactSources } from './fact-sources.js';
import type { ClockFact, DiskFact, NameFact, PortFact } from './facts.js';
import { isOfContainer } from './read-former-install.js';

/** Who listens, and which of them belong to our own cluster's containers. */
export async function readPorts(
  { host }: FactSources,
  ownContainerIds: readonly string[],
): Promise<readonly PortFact[]> {
  const ports = await listListeningPorts(host);
  return Promise.all(
    ports.map(async (port): Promise<PortFact> => {
      const holder = port.pid === undefined ? undefined : await readProcess(host, port.pid);
      return {
        ...port,
        own: holder !== undefined && isOfContainer(holder, ownContainerIds),
        cmdline: holder?.cmdline.join(' ') ?? '',
      };
    }),
  );
}

/** The room for everything that an install and a cluster write. */
export async function readDisks(
  { host }: FactSources,
  { paths }: Pick<ClusterOptions, 'paths'>,
  info: Pick<EngineInfo, 'rootDir'> | undefined,
): Promise<readonly DiskFact[]> {
  const places: readonly Pick<DiskFact, 'role' | 'path'>[] = [
    { role: 'images', path: info?.rootDir ?? '/var/lib/docker' },
    { role: 'etcd', path: paths.etcdDir },
    { role: 'pods', path: paths.kubeletDir },
    { role: 'state', path: paths.stateDir },
  ];
  return Promise.all(places.map(async ({ role, path }) => ({ role, ...(await readDiskSpace(path, host)) })));
}

/** The machine's names and addresses. A look-up that takes too long counts as no answer: components would wait too. */
export async function readNames(sources: FactSources, lookupMs: number): Promise<NameFact> {
  const hostname = sources.hostname();
  const hostnameAddresses = await withDeadline(sources.clock, lookupMs, () => sources.lookup(hostname)).catch(() => []);
  return { hostname, hostnameAddresses: [...new Set(hostnameAddresses)], localAddresses: sources.localAddresses() };
}

/** The time, and the newest moment that an image on this machine claims to be from: the clock can't be before it. */
export async function readClock({ clock, engine }: FactSources): Promise<ClockFact> {
  const images = (await engine?.listImages().catch(() => [])) ?? [];
  let newestKnownMs = 0;
  let newestKnown = '';
  for (const { createdAt, tags, id } of images) {
    const made = Date.parse(createdAt);
    if (made > newestKnownMs) [newestKnownMs, newestKnown] = [made, `image ${tags[0] ?? id}`];
  }
  return { nowMs: clock.now(), newestKnownMs, newestKnown };
}
