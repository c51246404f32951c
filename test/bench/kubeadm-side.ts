import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { pathExists } from '../../src/base/files.js';
import { waitFor } from '../../src/base/wait.js';
import type { ClusterOptions } from '../../src/config/types.js';
import type { ContainerSpec, Engine, EngineInfo } from '../../src/docker/types.js';
import { ensureDirectory } from '../../src/host/changes.js';
import type { Host } from '../../src/host/host.js';
import { type Journal, openJournal, readJournal } from '../../src/host/journal.js';
import type { HostChange } from '../../src/host/journal-types.js';
import { listChains } from '../../src/host/netfilter.js';
import { ensureSharedMount } from '../../src/host/shared-mount.js';
import { expectSysctls } from '../../src/host/sysctl.js';
import { createKubeClient } from '../../src/kube/kube-client.js';
import { readClientOptions } from '../../src/kube/kubeconfig-client.js';
import { resources } from '../../src/kube/resource-ref.js';
import { kubeletContainer } from '../../src/nodeagent/kubelet-container.js';
import { clusterInputs } from '../../src/provision/cluster-inputs.js';
import { findLeftovers } from '../../src/provision/leftovers.js';
import { nodeFault } from '../../src/provision/steps/wait-node.js';
import { undoChanges } from '../../src/provision/undo-changes.js';
import { componentImage } from '../../src/release/image-of.js';
import { releaseFor } from '../../src/release/release-for.js';
import { describeFailure, startProgram } from '../e2e/support/program.js';
import { kubeadmArguments, kubeadmConfig, kubeadmImages, kubeletLoop } from './kubeadm-config.js';

/** One `kubeadm init`. Milliseconds since the process's start. */
export interface KubeadmRun {
  readonly initMs: number;
  /** Until it has returned and the node is Ready. */
  readonly readyMs: number;
}

export interface KubeadmOptions {
  readonly engine: Engine;
  readonly host: Host;
  /** The kubeadm program. */
  readonly program: string;
  readonly cluster: ClusterOptions;
  readonly workDir: string;
}

/** What was changed for a run of kubeadm's; on disk, so that the next bench takes back what a killed one left. */
export const kubeadmStateDir = '/var/lib/hyperup-bench';

const adminConfig = '/etc/kubernetes/admin.conf';
const timeoutMs = 300_000;

/** Folders that are to be kubeadm's alone: with something in them no run begins. */
export const kubeadmFolders = ['/etc/kubernetes', '/var/lib/etcd', '/var/lib/kubelet'] as const;

/** Further folders that kubeadm, its kubelet and the engine make. */
const sideFolders = ['/usr/libexec/kubernetes', '/var/log/pods', '/var/log/containers'] as const;

const sideFiles = ['/run/xtables.lock', '/run/dockershim.sock'] as const;

/** Runs `kubeadm init` to a Ready node, then takes all of it away again, whatever happened. */
export async function runKubeadm(options: KubeadmOptions): Promise<KubeadmRun> {
  const journal = await openJournal({ dir: kubeadmStateDir, clock: systemClock, command: 'make bench' });
  try {
    await prepare(journal, options);
    const kubelet = await startKubelet(journal, options);
    return await timeInit(kubelet, options);
  } finally {
    await takeBack(journal, options);
  }
}

/** What it takes to clear up after a run. */
type HostOfRun = Pick<KubeadmOptions, 'engine' | 'host' | 'cluster'>;

/** Takes back what a bench that was killed left of kubeadm's cluster. */
export async function removeFormerRun(options: HostOfRun): Promise<void> {
  if ((await readJournal(kubeadmStateDir)) === undefined) return;
  await takeBack(await openJournal({ dir: kubeadmStateDir, clock: systemClock, command: 'make bench' }), options);
}

async function prepare(journal: Journal, options: KubeadmOptions): Promise<void> {
  const { engine, host, cluster } = options;
  for (const { reference, source } of kubeadmImages(cluster.kubernetesVersion)) {
    if (await engine.inspectImage(reference)) continue;
    await journal.record({ kind: 'imageTag', reference, previousId: undefined, pulledAs: undefined });
    await engine.tagImage(source, reference);
  }
  for (const path of [...kubeadmFolders, ...sideFolders]) await ensureDirectory(journal, path, 0o755, true);
  for (const path of sideFiles) {
    if (!(await pathExists(path))) await journal.record({ kind: 'file', path, backup: undefined });
  }
  await expectSysctls(journal, host);
  await journal.record({ kind: 'netfilter', existingChains: (await listChains(host.run)) ?? [] });
  await ensureSharedMount(journal, '/var/lib/kubelet', host);
  await journal.record({ kind: 'pods', kubeletDir: '/var/lib/kubelet', nodeName: cluster.nodeName });
}

/** The container that hyperup runs its kubelet in, with kubeadm's kubelet in it, waiting. Gives its id. */
async function startKubelet(journal: Journal, { engine, cluster }: KubeadmOptions): Promise<string> {
  const release = releaseFor(cluster.kubernetesVersion);
  const paths = { ...cluster.paths, configDir: '/etc/kubernetes', kubeletDir: '/var/lib/kubelet' };
  const inputs = await clusterInputs({ ...cluster, paths }, release, await engine.info(), '/etc/resolv.conf', 'none');
  const name = 'hyperup-bench-kubelet';
  const base = kubeletContainer(inputs.nodeAgent);
  const labels = { ...base.labels, 'io.hyperup.cluster': name };
  const spec: ContainerSpec = { ...base, name, labels, command: kubeletLoop(), restart: 'on-failure' };
  await journal.record({ kind: 'container', name, labels: { 'io.hyperup.cluster': name } });
  const id = await engine.createContainer(spec);
  await engine.startContainer(id);
  return id;
}

async function timeInit(kubelet: string, options: KubeadmOptions): Promise<KubeadmRun> {
  const { engine, cluster, program, workDir } = options;
  const configPath = join(workDir, 'kubeadm.yaml');
  await writeFile(configPath, kubeadmConfig({ cluster, cgroupDriver: driverOf(await engine.info()) }));
  const clock = systemClock;
  const startedMs = clock.monotonicMs();
  const init = startProgram(program, kubeadmArguments(configPath), { timeoutMs });
  const ended = init.result.then((result) => {
    if (result.exitCode !== 0) throw new Error(describeFailure(result));
    return result.elapsedMs;
  });
  const failed = new AbortController();
  ended.catch((error: unknown) => failed.abort(error));
  try {
    await waitReady(cluster, clock, failed.signal);
    const readyMs = clock.monotonicMs() - startedMs;
    const initMs = await ended;
    return { initMs, readyMs: Math.max(initMs, readyMs) };
  } catch (error) {
    init.kill('SIGTERM');
    const cause = await ended.then(() => error).catch((reason: unknown) => reason);
    throw new Error(`kubeadm init: no Ready node; its kubelet:\n${await engine.tailLogs(kubelet, 20)}`, { cause });
  }
}

/** Asks every 100 ms, from the moment that the administrator's kubeconfig is there. */
async function waitReady(cluster: ClusterOptions, clock: Clock, signal: AbortSignal): Promise<void> {
  const wait = { clock, timeoutMs, intervalMs: 100, signal };
  const client = await waitFor(
    adminConfig,
    async () => ({ done: true, value: createKubeClient(await readClientOptions(adminConfig)) }),
    wait,
  );
  try {
    await waitFor(
      `node ${cluster.nodeName}`,
      async () => {
        const node = await client.find(resources.nodes, { name: cluster.nodeName });
        const reason = nodeFault(node, cluster.kubernetesVersion);
        return reason === undefined ? { done: true, value: undefined } : { done: false, reason };
      },
      wait,
    );
  } finally {
    await client.close();
  }
}

function driverOf(info: EngineInfo): 'cgroupfs' | 'systemd' {
  return info.cgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs';
}

/** Replays the journal backwards and looks for what is left. `kubeadm reset` takes minutes and leaves rules behind. */
async function takeBack(journal: Journal, { engine, host, cluster }: HostOfRun): Promise<void> {
  const keepPaths: ReadonlySet<string> = new Set();
  const changes: readonly HostChange[] = journal.entries().map(({ change }) => change);
  try {
    // Only tags that this bench put on images are in the journal.
    const result = await undoChanges({
      journal,
      engine,
      host,
      emit: () => {},
      keepPaths,
      purgeImages: true,
      toolsImage: componentImage(releaseFor(cluster.kubernetesVersion), 'kube-proxy'),
    });
    const left = await findLeftovers(changes, { engine, host, keepPaths, result });
    const faults = [...result.failures.map(({ message }) => message), ...left];
    if (faults.length > 0) throw new Error(`take kubeadm's cluster away: left behind: ${faults.join('; ')}`);
  } finally {
    await journal.close();
  }
}
