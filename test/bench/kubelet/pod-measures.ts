import type { Clock } from '../../../src/base/clock.js';
import { waitFor } from '../../../src/base/wait.js';
import type { KubeClient } from '../../../src/kube/kube-client-types.js';
import { resourcePath, resources } from '../../../src/kube/resource-ref.js';
import { median } from '../measures.js';
import { benchNamespace, isReady, manyPods, pausePod } from './bench-pods.js';
import { inParallel } from './in-parallel.js';
import { type PodWatch, watchPods } from './pod-watch.js';

export interface PodMeasureOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly pauseImage: string;
}

const trials = 10;
/** Pods are created as fast as one client does it. */
const createsAtOnce = 8;

/** Makes the namespace, and waits until pods in it get their service account's token. */
export async function prepareNamespace(client: KubeClient, clock: Clock): Promise<void> {
  await client.create(resources.namespaces, { metadata: { name: benchNamespace } });
  await waitFor(
    `the service account of ${benchNamespace}`,
    async () => {
      const account = await client.find(resources.serviceAccounts, { name: 'default', namespace: benchNamespace });
      return account?.secrets?.length
        ? { done: true, value: undefined }
        : { done: false, reason: account ? 'it has no token' : 'it is not there' };
    },
    { clock, timeoutMs: 60_000, intervalMs: 100 },
  );
}

/** Milliseconds from a pod's creation until it is seen to be Ready; it is gone again then. */
export async function measureReadyOnce(options: PodMeasureOptions, name: string): Promise<number> {
  const watch = await watchPods(options.client, benchNamespace, options.clock);
  try {
    return await timeOne(options, watch, name);
  } finally {
    await watch.close();
  }
}

/** Milliseconds from a pod's creation until it is seen to be Ready: the median of ten, after one that isn't counted. */
export async function measureOnePod(options: PodMeasureOptions): Promise<number> {
  const watch = await watchPods(options.client, benchNamespace, options.clock);
  const elapsed: number[] = [];
  try {
    for (let trial = 0; trial <= trials; trial += 1) elapsed.push(await timeOne(options, watch, `one-${trial}`));
  } finally {
    await watch.close();
  }
  return median(elapsed.slice(1));
}

async function timeOne(
  { client, clock, pauseImage }: PodMeasureOptions,
  watch: PodWatch,
  name: string,
): Promise<number> {
  const startedMs = clock.monotonicMs();
  const ready = watch.until(`pod ${name}`, (pods) => isReady(pods.get(name)));
  // Looked at in a moment.
  ready.catch(() => {});
  await client.create(resources.pods, pausePod(name, pauseImage));
  const elapsedMs = (await ready) - startedMs;
  await client.delete(resources.pods, { name, namespace: benchNamespace });
  await watch.until(`the end of pod ${name}`, (pods) => !pods.has(name));
  return elapsedMs;
}

/**
 * Seconds from the first creation of fifty pods until all are Ready, and from their deletion as a collection until the
 * last object is gone. `between` is called while they run.
 */
export async function measurePods(
  { client, clock, pauseImage }: PodMeasureOptions,
  between: () => Promise<void>,
): Promise<{ readonly readySeconds: number; readonly deletedSeconds: number }> {
  const wanted = manyPods(pauseImage);
  const watch = await watchPods(client, benchNamespace, clock);
  try {
    const startedMs = clock.monotonicMs();
    const ready = watch.until('50 pods', (pods) => pods.size === wanted.length && [...pods.values()].every(isReady));
    // Looked at in a moment.
    ready.catch(() => {});
    await inParallel(wanted, createsAtOnce, async (pod) => void (await client.create(resources.pods, pod)));
    const readySeconds = ((await ready) - startedMs) / 1000;
    await between();
    const deletedAtMs = clock.monotonicMs();
    const gone = watch.until('the end of 50 pods', (pods) => pods.size === 0);
    gone.catch(() => {});
    const path = resourcePath(resources.pods, { namespace: benchNamespace });
    const { statusCode, text } = await client.raw(path, { method: 'DELETE' });
    if (statusCode !== 200) throw new Error(`delete the pods of ${benchNamespace}: got ${statusCode} ${text}`);
    return { readySeconds, deletedSeconds: ((await gone) - deletedAtMs) / 1000 };
  } finally {
    await watch.close();
  }
}
