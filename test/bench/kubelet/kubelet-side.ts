import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.js';
import type { ClusterOptions } from '../../../src/config/types.js';
import type { Engine } from '../../../src/docker/types.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import { readClientOptions } from '../../../src/kube/kubeconfig-client.js';
import { installCluster, removeCluster } from '../../e2e/support/cluster.js';
import { makeKubectl } from '../../e2e/support/kubectl.js';
import type { MeasureUnit } from '../measures.js';
import { readGoRates } from './go-rates.js';
import type { ReadingName, Readings } from './kubelet-measures.js';
import { timeNodeReady } from './node-ready.js';
import { measureOnePod, measurePods, prepareNamespace } from './pod-measures.js';
import { measureIdle, restMs, type Watched, watchProcess } from './process-measures.js';
import { measureCopy, measureExec } from './stream-measures.js';

export type KubeletKind = 'hyperkube' | 'builtin';

export interface KubeletSideOptions {
  readonly engine: Engine;
  readonly cluster: ClusterOptions;
  readonly pauseImage: string;
  readonly clock: Clock;
  /** For the kubeconfig and the file that is copied. */
  readonly workDir: string;
  readonly wanted: ReadonlySet<ReadingName>;
  readonly say: (line: string) => void;
  readonly throwIfInterrupted: () => void;
  /** Throws where anybody's cluster is on this machine: it would be uninstalled with ours. */
  readonly checkFree: () => Promise<void>;
}

/**
 * Installs a cluster with that kubelet, measures what is wanted, and uninstalls it, whatever happened. The Go kubelet is
 * measured with request rates of its own; last, for the tuned readings, with those that hyperup gives it.
 */
export async function runKubelet(kind: KubeletKind, options: KubeletSideOptions): Promise<Readings> {
  const { engine, cluster, clock, wanted, say, throwIfInterrupted } = options;
  const values: Partial<Record<ReadingName, number>> = {};
  const facts = new Map<string, { readonly unit: MeasureUnit; readonly value: number }>();
  const kubeconfig = join(options.workDir, 'kubeconfig');
  const step = async (name: ReadingName, work: () => Promise<number>) => {
    if (!wanted.has(name)) return;
    throwIfInterrupted();
    values[name] = await work();
  };
  const idle = async (name: 'idle-cpu-5' | 'idle-cpu-50', watched: Watched) => {
    await step(name, async () => {
      say(`  ${kind}: ${name}`);
      const { kubeletPercent, enginePercent, kubeletMegabytes } = await measureIdle(watched, clock);
      if (enginePercent !== undefined) facts.set(`${name}: the engine's own`, { unit: '%', value: enginePercent });
      facts.set(`${name}: resident memory`, { unit: 'MB', value: kubeletMegabytes });
      return kubeletPercent;
    });
  };
  await options.checkFree();
  try {
    const { nodeReadySeconds, kubectl } = await install(kind, kubeconfig, options);
    if (wanted.has('node-ready')) values['node-ready'] = nodeReadySeconds;
    const client = createKubeClient(await readClientOptions(kubeconfig));
    try {
      await prepareNamespace(client, clock);
      const pods = { client, clock, pauseImage: options.pauseImage };
      const rates = kind === 'hyperkube' ? await readGoRates({ ...pods, engine, cluster }) : undefined;
      const tuned = wanted.has('tuned-pods-ready') || wanted.has('tuned-pods-deleted');
      const own = [...wanted].some((name) => name !== 'node-ready' && !name.startsWith('tuned-'));
      if (rates && own) {
        say(`  ${kind}: with request rates of its own`);
        await rates.ofItsOwn();
      }
      const watched = await watchedProcess(engine, cluster);
      await idle('idle-cpu-5', watched);
      await step('one-pod-ready', () => measureOnePod(pods));
      const many = ['pods-ready', 'idle-cpu-50', 'memory-50', 'pods-deleted'] as const;
      if (many.some((name) => wanted.has(name))) {
        say(`  ${kind}: 50 pods`);
        const { readySeconds, deletedSeconds } = await measurePods(pods, async () => {
          await idle('idle-cpu-50', watched);
          await step('memory-50', async () => {
            if (!wanted.has('idle-cpu-50')) await clock.sleep(restMs);
            return watched.residentMegabytes();
          });
        });
        if (wanted.has('pods-ready')) values['pods-ready'] = readySeconds;
        if (wanted.has('pods-deleted')) values['pods-deleted'] = deletedSeconds;
      }
      const streams = { ...pods, kubectl: makeKubectl({ program: kubectl, kubeconfig }), workDir: options.workDir };
      await step('exec', () => measureExec(streams));
      await step('cp', () => measureCopy(streams));
      await watched.check();
      if (rates && tuned) {
        say(`  ${kind}: 50 pods with the request rates that hyperup gives it`);
        throwIfInterrupted();
        if (own) await rates.asInstalled();
        const { readySeconds, deletedSeconds } = await measurePods(pods, async () => {});
        if (wanted.has('tuned-pods-ready')) values['tuned-pods-ready'] = readySeconds;
        if (wanted.has('tuned-pods-deleted')) values['tuned-pods-deleted'] = deletedSeconds;
      }
    } finally {
      await client.close();
    }
  } finally {
    say(`  ${kind}: uninstall`);
    await removeCluster();
  }
  return { values, facts };
}

async function install(kind: KubeletKind, kubeconfig: string, { cluster, clock, say }: KubeletSideOptions) {
  say(`  ${kind}: install`);
  const failed = new AbortController();
  const ready = timeNodeReady(cluster, clock, failed.signal);
  // Looked at once the install has ended.
  ready.catch(() => {});
  try {
    const { kubectl } = await installCluster(['--kubelet', kind, '--kubeconfig', kubeconfig]);
    return { kubectl, nodeReadySeconds: (await ready) / 1000 };
  } catch (error) {
    failed.abort();
    throw error;
  }
}

async function watchedProcess(engine: Engine, cluster: ClusterOptions): Promise<Watched> {
  const name = `${cluster.name}-kubelet`;
  return watchProcess(async () => {
    const details = await engine.inspectContainer(name);
    if (details?.state !== 'running') throw new Error(`container ${name}: it is ${details?.state ?? 'not there'}`);
    return details.pid;
  });
}
