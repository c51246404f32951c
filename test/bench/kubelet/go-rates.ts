import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { writeAtomic } from '../../../src/base/files.js';
import { waitFor } from '../../../src/base/wait.js';
import type { ClusterOptions } from '../../../src/config/types.js';
import type { Engine } from '../../../src/docker/types.js';
import { kubeletConfigNames } from '../../../src/nodeagent/kubelet-configuration.js';
import { measureReadyOnce, type PodMeasureOptions } from './pod-measures.js';

/** The fields by which a kubelet's configuration bounds its requests to the API server. */
const rateFields = ['kubeAPIQPS', 'kubeAPIBurst', 'eventRecordQPS', 'eventBurst'] as const;

export interface GoRatesOptions extends PodMeasureOptions {
  readonly engine: Pick<Engine, 'stopContainer' | 'startContainer'>;
  readonly cluster: ClusterOptions;
}

/** How often the installed Go kubelet may ask the API server. */
export interface GoRates {
  /** As the kubelet itself has it, and so as kubeadm, kind and minikube run it: 5 a second, 10 at once (up to 1.26). */
  ofItsOwn(): Promise<void>;
  /** As hyperup installs it: 50 a second, 100 at once. */
  asInstalled(): Promise<void>;
}

/** Call when the cluster is installed: each change starts the kubelet anew, and returns when it has run a pod. */
export async function readGoRates(options: GoRatesOptions): Promise<GoRates> {
  const { engine, cluster } = options;
  const path = join(cluster.paths.configDir, kubeletConfigNames.member);
  const installed = await readFile(path, 'utf8');
  const apply = async (text: string) => {
    await writeAtomic(path, text);
    const container = `${cluster.name}-kubelet`;
    await engine.stopContainer(container, 10);
    await engine.startContainer(container);
    await awaitHealthy(options);
    await measureReadyOnce(options, 'warm-up');
  };
  return {
    ofItsOwn: () => apply(withoutRates(installed)),
    asInstalled: () => apply(installed),
  };
}

/** A kubelet configuration that says nothing of rates. Throws where it said nothing before. Pure. */
export function withoutRates(text: string): string {
  const configuration = load(text) as Record<string, unknown>;
  for (const field of rateFields) {
    if (configuration[field] === undefined) throw new Error(`kubelet configuration: there is no ${field} to take out`);
  }
  const rates: ReadonlySet<string> = new Set(rateFields);
  return dump(Object.fromEntries(Object.entries(configuration).filter(([field]) => !rates.has(field))));
}

async function awaitHealthy({ cluster, clock }: GoRatesOptions): Promise<void> {
  const url = `http://127.0.0.1:${cluster.ports.kubeletHealth}/healthz`;
  await waitFor(
    'the Go kubelet after its restart',
    async () => {
      try {
        const { status } = await fetch(url);
        return status === 200 ? { done: true, value: undefined } : { done: false, reason: `it says ${status}` };
      } catch (error) {
        return { done: false, reason: String(error) };
      }
    },
    { clock, timeoutMs: 60_000, intervalMs: 200 },
  );
}
