import type { ContainerListing } from '../../docker/runtime-types.js';
import type { PodUid, RuntimeContainer, RuntimePodStatus, RuntimePodSummary, RuntimeSandbox } from '../types.js';
import type { Inspected } from './inspections.js';
import { type LabeledContainer, parseLabels } from './labels.js';
import { digestOf, groupByPod } from './listings.js';
import { byNewest, isRunning } from './status.js';

/** A pod of a list: what its labels alone tell, its part of the list and that part's digest. */
export interface PodOfList extends RuntimePodSummary {
  readonly digest: string;
  readonly listings: readonly ContainerListing[];
}

/** A list by pods. */
export function summarize(listings: readonly ContainerListing[]): readonly PodOfList[] {
  return [...groupByPod(listings)].flatMap(([uid, group]) => {
    const all = group.map((listing) => parseLabels(listing.labels)).filter((labels) => labels !== undefined);
    const [first] = all;
    if (!first) return [];
    return [
      {
        uid,
        name: first.podName,
        namespace: first.namespace,
        running: group.some((listing) => isRunning(listing.state)),
        terminationGraceSeconds: all.find(hasGrace)?.terminationGraceSeconds,
        digest: digestOf(group),
        listings: group,
      },
    ];
  });
}

function hasGrace(labels: LabeledContainer): boolean {
  return labels.terminationGraceSeconds !== undefined;
}

/** A pod's status of its list and inspections; those that went meanwhile are left out. */
export function makePodStatus(
  uid: PodUid,
  listings: readonly ContainerListing[],
  inspected: readonly Inspected[],
): RuntimePodStatus & { readonly digest: string } {
  const sandboxes: RuntimeSandbox[] = [];
  const containers: RuntimeContainer[] = [];
  for (const one of inspected) {
    if (one.sandbox) sandboxes.push(one.sandbox);
    if (one.container) containers.push(one.container);
  }
  const [first] = inspected;
  return {
    uid,
    name: first?.labels.podName ?? '',
    namespace: first?.labels.namespace ?? '',
    sandboxes: sandboxes.sort(byNewest),
    containers: containers.sort(byNewest),
    digest: digestOf(listings),
  };
}
