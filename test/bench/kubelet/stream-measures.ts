import { createHash, randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resources } from '../../../src/kube/resource-ref.js';
import { type Kubectl, kubectlOutput } from '../../e2e/support/kubectl.js';
import { median } from '../measures.js';
import { benchNamespace, isReady, webPod } from './bench-pods.js';
import type { PodMeasureOptions } from './pod-measures.js';
import { watchPods } from './pod-watch.js';

export interface StreamMeasureOptions extends PodMeasureOptions {
  readonly kubectl: Kubectl;
  readonly workDir: string;
}

const execTrials = 20;
const copyTrials = 3;
const copyMegabytes = 200;

/** Milliseconds that `kubectl exec POD -- true` takes: the median of twenty, after one that isn't counted. */
export function measureExec(options: StreamMeasureOptions): Promise<number> {
  return withShell('exec', options, async (pod) => {
    const elapsed: number[] = [];
    for (let trial = 0; trial <= execTrials; trial += 1) {
      elapsed.push(await timeKubectl(options, ['exec', pod, '--', 'true']));
    }
    return median(elapsed.slice(1));
  });
}

/** Megabytes a second of `kubectl cp` of a file of random bytes into a pod: the median of three, each checked. */
export function measureCopy(options: StreamMeasureOptions): Promise<number> {
  return withShell('cp', options, async (pod) => {
    const path = join(options.workDir, 'random');
    const digest = await writeRandom(path);
    try {
      const speeds: number[] = [];
      for (let trial = 0; trial < copyTrials; trial += 1) {
        const copy = `/tmp/copy-${trial}`;
        const elapsedMs = await timeKubectl(options, ['cp', path, `${pod}:${copy}`]);
        speeds.push((copyMegabytes * 1000) / elapsedMs);
        const said = await kubectlOutput(options.kubectl, inNamespace(['exec', pod, '--', 'sha256sum', copy]));
        if (!said.startsWith(digest)) throw new Error(`kubectl cp: the pod has ${said.trim()}, want ${digest}`);
        await kubectlOutput(options.kubectl, inNamespace(['exec', pod, '--', 'rm', copy]));
      }
      return median(speeds);
    } finally {
      await rm(path, { force: true });
    }
  });
}

const inNamespace = (args: readonly string[]) => ['-n', benchNamespace, ...args];

async function timeKubectl({ kubectl, clock }: StreamMeasureOptions, args: readonly string[]): Promise<number> {
  const startedMs = clock.monotonicMs();
  await kubectlOutput(kubectl, inNamespace(args));
  return clock.monotonicMs() - startedMs;
}

async function withShell<T>(
  name: string,
  options: StreamMeasureOptions,
  work: (pod: string) => Promise<T>,
): Promise<T> {
  const { client, clock } = options;
  const watch = await watchPods(client, benchNamespace, clock);
  try {
    await client.create(resources.pods, webPod(name));
    await watch.until(`pod ${name}`, (pods) => isReady(pods.get(name)));
    const result = await work(name);
    await client.delete(resources.pods, { name, namespace: benchNamespace });
    await watch.until(`the end of pod ${name}`, (pods) => !pods.has(name));
    return result;
  } finally {
    await watch.close();
  }
}

/** Gives its SHA-256, in hexadecimal. */
async function writeRandom(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  try {
    for (let written = 0; written < copyMegabytes; written += 1) {
      const part = randomBytes(1_000_000);
      hash.update(part);
      await file.write(part);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
