import { pathExists } from '../base/files.js';
import type { Engine } from '../docker/types.js';
import { managedLabel } from '../docker/types.js';
import { listPodCgroups } from '../host/cgroups.js';
import type { Host } from '../host/host.js';
import type { HostChange } from '../host/journal-types.js';
import { ipvsLeftovers } from '../host/links.js';
import { mountsBelow, readMounts } from '../host/mountinfo.js';
import { listKubeChains } from '../host/netfilter.js';
import { listProcesses } from '../host/processes.js';
import { readSysctl } from '../host/sysctl.js';
import { newContents } from '../host/undo.js';
import { clusterLabel } from '../nodeagent/kubelet-container.js';
import type { UndoResult } from './undo-changes.js';

export interface LeftoverOptions {
  readonly engine: Engine | undefined;
  readonly host: Host;
  readonly keepPaths: ReadonlySet<string>;
  readonly result: UndoResult;
}

/**
 * Looks, independently of what was undone, for anything of the cluster's that is still on the machine: containers,
 * mounts, chains, links, processes, files, settings. One line each; empty where there is nothing.
 */
export async function findLeftovers(
  changes: readonly HostChange[],
  options: LeftoverOptions,
): Promise<readonly string[]> {
  const { engine, host } = options;
  const found = await Promise.all([
    engine ? leftContainers(engine) : [],
    leftMounts(changes, host),
    leftChains(changes, host),
    ipvsLeftovers(host),
    leftProcesses(host),
    leftPaths(changes, options),
    leftSysctls(changes, options),
    listPodCgroups(host).then((paths) => paths.map((path) => `cgroup ${path}`)),
  ]);
  return found.flat();
}

async function leftContainers(engine: Engine): Promise<string[]> {
  const ours = await engine.listContainers({ all: true, labels: [`${managedLabel}=true`, clusterLabel] });
  return ours.map(({ name, id }) => `container ${name} (${id.slice(0, 12)})`);
}

async function leftMounts(changes: readonly HostChange[], host: Host): Promise<string[]> {
  const mounts = await readMounts(host);
  return changes.flatMap((change) =>
    change.kind === 'sharedMount' || change.kind === 'pods'
      ? mountsBelow(mounts, change.kind === 'pods' ? change.kubeletDir : change.path).map(
          ({ mountPoint }) => `mount ${mountPoint}`,
        )
      : [],
  );
}

async function leftChains(changes: readonly HostChange[], host: Host): Promise<string[]> {
  const entry = changes.find((change) => change.kind === 'netfilter');
  if (!entry) return [];
  const before = new Set(entry.existingChains);
  return ((await listKubeChains(host.run)) ?? [])
    .filter((chain) => !before.has(chain))
    .map((chain) => `chain ${chain}`);
}

/** Programs of the cluster's that outlived their containers. */
async function leftProcesses(host: Host): Promise<string[]> {
  const processes = await listProcesses(host);
  return processes
    .filter(({ cgroups }) => cgroups.some((path) => path.startsWith('/kubepods')))
    .map(({ pid, comm }) => `process ${pid} (${comm})`);
}

async function leftPaths(changes: readonly HostChange[], options: LeftoverOptions): Promise<string[]> {
  const left: string[] = [];
  for (const change of changes) {
    if (change.kind === 'contents') left.push(...(await newContents(change)).map((path) => `${path} is new`));
    if (change.kind !== 'directory' && change.kind !== 'file') continue;
    if (change.kind === 'file' && change.backup !== undefined) continue;
    if ([...options.keepPaths].some((path) => path.startsWith(change.path))) continue;
    // A folder that others have files in is theirs now; the undo said so.
    if (options.result.kept.some((line) => line.startsWith(`${change.path}:`))) continue;
    if (await pathExists(change.path)) left.push(`${change.kind} ${change.path}`);
  }
  return left;
}

async function leftSysctls(changes: readonly HostChange[], options: LeftoverOptions): Promise<string[]> {
  const left: string[] = [];
  for (const change of changes) {
    if (change.kind !== 'sysctl') continue;
    if ((await readSysctl(change.key, options.host)) === change.value)
      left.push(`sysctl ${change.key} = ${change.value}`);
  }
  return left;
}
