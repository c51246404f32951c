import { HyperupError, messageOf } from '../../base/errors.js';
import type { ContainerListing, RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId, KubeletIdentity, PodRuntime, PodUid } from '../types.js';
import { instanceFilter, type LabeledContainer, parseLabels } from './labels.js';
import { groupByPod } from './listings.js';
import { byNewest, isRunning } from './status.js';

export interface ContainerGarbageOptions {
  readonly engine: Pick<RuntimeEngine, 'listContainers' | 'listImages' | 'inspectImage' | 'removeImage'>;
  readonly runtime: Pick<PodRuntime, 'removeContainer' | 'removePod'>;
  readonly identity: KubeletIdentity;
  /** False while sources haven't told of all pods yet: then no pod counts as gone. */
  readonly sourcesReady: () => boolean;
  /** A pod of the API server's or of a manifest, or one that a worker still has to do with. */
  readonly podExists: (uid: PodUid) => boolean;
}

interface Dead {
  readonly id: ContainerId;
  readonly labels: LabeledContainer;
  readonly createdAtMs: number;
  readonly attempt: number;
}

/**
 * One round: of a pod that exists the newest dead container of each name stays, and the newest sandbox; all of a pod that
 * is gone goes unless something of it still runs (v1.20 `kuberuntime/kuberuntime_gc.go`). Rejects with `EngineFailed`
 * after having tried all.
 */
export async function collectContainers(options: ContainerGarbageOptions): Promise<void> {
  const { engine, runtime, sourcesReady, podExists } = options;
  const listings = await engine.listContainers(instanceFilter(options.identity));
  const work: Promise<void>[] = [];
  for (const [uid, group] of groupByPod(listings)) {
    if (podExists(uid) || !sourcesReady()) {
      for (const id of planRemovals(group)) work.push(runtime.removeContainer(id));
    } else if (!group.some((listing) => isRunning(listing.state))) {
      work.push(runtime.removePod(uid));
    }
  }
  const errors = (await Promise.allSettled(work)).flatMap((result) =>
    result.status === 'rejected' ? [messageOf(result.reason)] : [],
  );
  if (errors.length > 0) throw new HyperupError('EngineFailed', `remove dead containers: ${errors.join('; ')}`);
}

/** What of one pod's containers can go while the pod exists. */
export function planRemovals(group: readonly ContainerListing[]): readonly ContainerId[] {
  const dead = new Map<string, Dead[]>();
  const sandboxes: Dead[] = [];
  const usedSandboxes = new Set<ContainerId>();
  let runningSandbox = false;
  for (const listing of group) {
    const labels = parseLabels(listing.labels);
    if (!labels) continue;
    const one = { id: listing.id, labels, createdAtMs: listing.createdAtMs, attempt: labels.attempt };
    const isSandbox = labels.type === 'sandbox';
    if (!isSandbox) usedSandboxes.add(labels.sandboxId);
    if (isRunning(listing.state)) {
      runningSandbox ||= isSandbox;
    } else if (isSandbox) {
      sandboxes.push(one);
    } else {
      const others = dead.get(labels.containerName);
      if (others) others.push(one);
      else dead.set(labels.containerName, [one]);
    }
  }
  const containers = [...dead.values()].flatMap((instances) => instances.sort(byNewest).slice(1));
  // A sandbox with containers stays for as long as they do.
  const unused = sandboxes.sort(byNewest).slice(runningSandbox ? 0 : 1);
  return [...containers, ...unused.filter(({ id }) => !usedSandboxes.has(id))].map(({ id }) => id);
}
