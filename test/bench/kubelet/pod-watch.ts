import type { Clock } from '../../../src/base/clock.js';
import type { KubeClient } from '../../../src/kube/kube-client-types.js';
import type { V1Pod } from '../../../src/kube/pod-objects.js';
import { resources } from '../../../src/kube/resource-ref.js';

export type PodsByName = ReadonlyMap<string, V1Pod>;

/** The pods of one namespace as a watch tells of them, not a poll: what is timed is seen as soon as it is told. */
export interface PodWatch {
  /** When, on the monotonic clock, the pods first pass. Throws what the watch failed with, or after `timeoutMs`. */
  until(what: string, passes: (pods: PodsByName) => boolean, timeoutMs?: number): Promise<number>;
  close(): Promise<void>;
}

interface Waiter {
  readonly passes: (pods: PodsByName) => boolean;
  readonly resolve: (atMs: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Begins with what there is. The caller closes it. */
export async function watchPods(client: KubeClient, namespace: string, clock: Clock): Promise<PodWatch> {
  const pods = new Map<string, V1Pod>();
  const waiters = new Set<Waiter>();
  const closing = new AbortController();
  const look = (waiter: Waiter) => {
    if (!waiter.passes(pods)) return;
    waiters.delete(waiter);
    waiter.resolve(clock.monotonicMs());
  };
  const { items, metadata } = await client.list(resources.pods, { namespace });
  for (const pod of items) pods.set(pod.metadata?.name ?? '', pod);
  const follow = async () => {
    let { resourceVersion } = metadata;
    // A server ends a watch after a while.
    while (!closing.signal.aborted) {
      for await (const { type, object } of client.watch(resources.pods, {
        namespace,
        resourceVersion,
        signal: closing.signal,
      })) {
        resourceVersion = object.metadata?.resourceVersion;
        if (type === 'BOOKMARK') continue;
        const name = object.metadata?.name ?? '';
        if (type === 'DELETED') pods.delete(name);
        else pods.set(name, object);
        for (const waiter of waiters) look(waiter);
      }
    }
  };
  let failure: unknown;
  const following = follow().catch((error: unknown) => {
    failure = error;
    for (const { reject } of waiters) reject(error);
  });
  return {
    async until(what, passes, timeoutMs = 180_000) {
      if (failure !== undefined) throw failure;
      const over = new AbortController();
      const seen = new Promise<number>((resolve, reject) => {
        const waiter: Waiter = { passes, resolve, reject };
        waiters.add(waiter);
        look(waiter);
      });
      const late = clock.sleep(timeoutMs, over.signal).then(() => {
        throw new Error(`wait for ${what}: not there after ${timeoutMs / 1000} s; pods: ${describe(pods)}`);
      });
      late.catch(() => {});
      try {
        return await Promise.race([seen, late]);
      } finally {
        over.abort();
      }
    },
    async close() {
      closing.abort();
      await following;
    },
  };
}

function describe(pods: PodsByName): string {
  return [...pods.values()].map(({ metadata, status }) => `${metadata?.name} ${status?.phase}`).join(', ') || 'none';
}
