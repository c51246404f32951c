import { messageOf } from '../base/errors.js';
import type { ClusterOptions } from '../config/types.js';
import { readCgroups } from '../host/cgroups.js';
import { readHostText } from '../host/host.js';
import { readNetfilter } from '../host/iptables-save.js';
import { listRoutes } from '../host/links.js';
import { readMemory } from '../host/memory-disk.js';
import { propagationOf, readMounts } from '../host/mountinfo.js';
import { realPathOf } from '../host/shared-mount.js';
import { readSysctl } from '../host/sysctl.js';
import { allChecks } from './checks/all-checks.js';
import { once, withDeadline } from './deadline.js';
import type { FactSources } from './fact-sources.js';
import { type Facts, type Known, known, unknown } from './facts.js';
import { readContainers, readEngine, readPrivileged } from './read-engine-facts.js';
import { readFirewall, readFormerInstall } from './read-former-install.js';
import { readClock, readDisks, readNames, readPorts } from './read-machine-facts.js';
import { readResolver } from './read-resolver.js';

export interface GatherOptions {
  readonly cluster: ClusterOptions;
  /** Facts that only skipped checks need aren't gathered. */
  readonly skip?: readonly string[];
  /** False: nothing is run or made, not even for a moment (`install --dry-run`). */
  readonly proofs?: boolean;
  /** How long one fact may take, milliseconds; the proof by a container may take five times that. */
  readonly factMs?: number;
}

/**
 * Gathers every fact at once, each with its own time limit, so that the whole takes as long as the slowest and
 * nothing that hangs or fails spoils the others. It never rejects: what could not be had says why. Apart from the
 * proof that the engine runs privileged containers (made and removed at once) it changes nothing.
 */
export async function gatherFacts(sources: FactSources, options: GatherOptions): Promise<Facts> {
  const { host, clock, engine } = sources;
  const { cluster, skip = [], proofs = true, factMs = 1500 } = options;
  const wanted = new Set(allChecks.filter(({ id }) => !skip.includes(id)).flatMap(({ needs }) => needs));

  const gather = async <T>(key: keyof Facts, read: () => Promise<T>, limitMs = factMs): Promise<Known<T>> => {
    if (!wanted.has(key)) return unknown('the check is skipped');
    try {
      return known(await withDeadline(clock, limitMs, read));
    } catch (error) {
      return unknown(messageOf(error));
    }
  };

  // Several facts build on what the engine says: it is asked once, and all give up on it together.
  const info = once(() => withDeadline(clock, factMs, async () => engine?.info()));
  const containers = once(() => withDeadline(clock, factMs, () => readContainers(engine, cluster)));

  const all = {
    cluster: gather('cluster', async () => cluster),
    uid: gather('uid', async () => sources.uid()),
    engine: gather('engine', () => readEngine(sources, info), factMs + 100),
    privileged: gather('privileged', () => readPrivileged(sources, info, proofs), factMs * 5),
    cgroups: gather('cgroups', () => readCgroups(host)),
    ports: gather('ports', async () => readPorts(sources, (await containers()).own)),
    memory: gather('memory', () => readMemory(host)),
    disks: gather('disks', async () => readDisks(sources, cluster, await info().catch(() => undefined))),
    cpus: gather('cpus', async () => sources.cpus()),
    sysctls: gather('sysctls', async () => {
      const keys = ['net.bridge.bridge-nf-call-iptables', 'net.ipv4.ip_forward'];
      return Object.fromEntries(
        await Promise.all(keys.map(async (key) => [key, await readSysctl(key, host)] as const)),
      );
    }),
    propagation: gather('propagation', async () =>
      propagationOf(await readMounts(host), await realPathOf(cluster.paths.kubeletDir)),
    ),
    names: gather('names', () => readNames(sources, factMs / 2)),
    routes: gather('routes', () => listRoutes(host)),
    resolver: gather('resolver', () => readResolver(host)),
    clock: gather('clock', () => readClock(sources)),
    formerInstall: gather('formerInstall', async () => {
      const { own, foreignPods } = await containers();
      return readFormerInstall(host, cluster, own, foreignPods);
    }),
    firewall: gather('firewall', () => readFirewall(host)),
    selinux: gather('selinux', async () => {
      const text = await readHostText(host, '/sys/fs/selinux/enforce');
      return text === undefined ? 'off' : text.trim() === '1' ? 'enforcing' : 'permissive';
    }),
    netfilter: gather('netfilter', () => readNetfilter(host.run)),
    kernel: gather('kernel', async () => ({
      release: ((await readHostText(host, '/proc/sys/kernel/osrelease')) ?? '').trim(),
      overlay: /\soverlay$/m.test((await readHostText(host, '/proc/filesystems')) ?? ''),
    })),
  } satisfies { [K in keyof Facts]: Promise<Facts[K]> };

  const entries = await Promise.all(Object.entries(all).map(async ([key, fact]) => [key, await fact] as const));
  return Object.fromEntries(entries) as unknown as Facts;
}
