import type { ContainerListing, RuntimeEngine } from '../../docker/runtime-types.js';
import type { PodUid } from '../types.js';
import { podUidLabel } from './labels.js';

/** Lists of containers, asked for sparingly: a few pods by a list each, many at once by one list of all. */
export interface Listings {
  all(): Promise<readonly ContainerListing[]>;
  /** Those of one pod. The list begins after the call. */
  ofPod(uid: PodUid): Promise<readonly ContainerListing[]>;
}

interface Waiter {
  readonly resolve: (listings: readonly ContainerListing[]) => void;
  readonly reject: (error: unknown) => void;
}

/** How many lists run at once before pods share one. */
const maxSingles = 4;

export function createListings(engine: RuntimeEngine, filter: readonly string[]): Listings {
  const waiting = new Map<PodUid, Waiter[]>();
  let running = 0;

  const single = async (uid: PodUid) => engine.listContainers([...filter, `${podUidLabel}=${uid}`]);
  const run = async (uids: ReadonlyMap<PodUid, readonly Waiter[]>): Promise<void> => {
    running += 1;
    try {
      const [only] = uids.size === 1 ? uids.keys() : [];
      const found = only === undefined ? await engine.listContainers(filter) : await single(only);
      const byPod = groupByPod(found);
      for (const [uid, waiters] of uids) for (const waiter of waiters) waiter.resolve(byPod.get(uid) ?? []);
    } catch (error) {
      for (const waiters of uids.values()) for (const waiter of waiters) waiter.reject(error);
    } finally {
      running -= 1;
      if (waiting.size > 0) {
        const next = new Map(waiting);
        waiting.clear();
        void run(next);
      }
    }
  };
  return {
    all: () => engine.listContainers(filter),
    ofPod: (uid) =>
      new Promise((resolve, reject) => {
        const waiter: Waiter = { resolve, reject };
        if (running < maxSingles) {
          void run(new Map([[uid, [waiter]]]));
          return;
        }
        const others = waiting.get(uid);
        if (others) others.push(waiter);
        else waiting.set(uid, [waiter]);
      }),
  };
}

/** By the pod's UID; what bears none is left out. */
export function groupByPod(listings: readonly ContainerListing[]): Map<PodUid, ContainerListing[]> {
  const groups = new Map<PodUid, ContainerListing[]>();
  for (const listing of listings) {
    const uid = listing.labels[podUidLabel];
    if (uid === undefined || uid === '') continue;
    const group = groups.get(uid);
    if (group) group.push(listing);
    else groups.set(uid, [listing]);
  }
  return groups;
}

/** Changes whenever a container of the pod's comes, goes or changes its state. */
export function digestOf(listings: readonly ContainerListing[]): string {
  return listings
    .map((listing) => `${listing.id}:${listing.state}`)
    .sort()
    .join(' ');
}
