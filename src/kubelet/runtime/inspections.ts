import type { Clock } from '../../base/clock.js';
import type { ContainerInspection, ContainerListing, EngineImage, RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId, RuntimeContainer, RuntimeSandbox } from '../types.js';
import { type LabeledContainer, parseLabels } from './labels.js';
import { isRunning, makeRuntimeContainer, makeRuntimeSandbox } from './status.js';

/** An inspection and what was made of it then. */
export interface Inspected {
  readonly inspection: ContainerInspection;
  readonly labels: LabeledContainer;
  readonly sandbox: RuntimeSandbox | undefined;
  readonly container: RuntimeContainer | undefined;
}

/**
 * The newest inspection of each container. One is asked for again only where the list shows another state, or the
 * container was touched since: so an idle pod costs no inspections. At most one inspection of a container runs at a time,
 * unless it was touched since the first began.
 */
export interface Inspections {
  /** Undefined where it is gone, or isn't a pod's. Rejects as the engine does. */
  of(listing: Pick<ContainerListing, 'id' | 'state'>): Promise<Inspected | undefined>;
  /**
   * Its maker is about to start it and will ask for it by `fresh` then: it counts as not there for as long as the list shows
   * it unstarted.
   */
  made(id: ContainerId): void;
  /** Asks the engine whatever is known. A running sandbox has the addresses that `connect` gives, where it is there. */
  fresh(id: ContainerId, connect?: Connect): Promise<Inspected | undefined>;
  /** What is known already. */
  known(id: ContainerId): Inspected | undefined;
  /** Something happened to it: the next `of` asks again. */
  touch(id: ContainerId): void;
  forget(id: ContainerId): void;
  /** Forgets all but these. */
  keepOnly(ids: ReadonlySet<ContainerId>): void;
  /** An image by its id. Tags and digests may be a minute old. */
  image(id: string): Promise<EngineImage | undefined>;
}

type Connect = (inspection: ContainerInspection) => Promise<readonly string[]>;

interface Entry {
  readonly inspected: Inspected;
  readonly order: number;
}

const imageAgeMs = 60_000;
const maxImages = 200;

/** `addressesOf` is asked for those that the engine has not connected. */
export function createInspections(
  engine: RuntimeEngine,
  clock: Clock,
  addressesOf: Connect = async () => [],
): Inspections {
  const entries = new Map<ContainerId, Entry>();
  const touched = new Set<ContainerId>();
  const unstarted = new Set<ContainerId>();
  const pending = new Map<ContainerId, Promise<Inspected | undefined>>();
  const images = new Map<string, { readonly image: EngineImage; readonly atMs: number }>();
  let order = 0;

  const image = async (id: string): Promise<EngineImage | undefined> => {
    const known = images.get(id);
    if (known && clock.monotonicMs() - known.atMs < imageAgeMs) return known.image;
    const found = await engine.inspectImage(id);
    images.delete(id);
    if (found) {
      if (images.size >= maxImages) images.clear();
      images.set(id, { image: found, atMs: clock.monotonicMs() });
    }
    return found;
  };
  const withAddresses = async (inspection: ContainerInspection, connect: Connect): Promise<ContainerInspection> =>
    isRunning(inspection.status) ? { ...inspection, ips: await connect(inspection) } : inspection;
  const inspect = async (id: ContainerId, connect: Connect | undefined): Promise<Inspected | undefined> => {
    const mine = ++order;
    const found = await engine.inspectContainer(id);
    if (!found) {
      entries.delete(id);
      return undefined;
    }
    const labels = parseLabels(found.labels);
    if (!labels) return undefined;
    const own = labels.resolvConfPath === undefined ? undefined : (connect ?? addressesOf);
    const inspection = own ? await withAddresses(found, own) : found;
    const isSandbox = labels.type === 'sandbox';
    const inspected: Inspected = {
      inspection,
      labels,
      sandbox: isSandbox ? makeRuntimeSandbox(inspection, labels) : undefined,
      // Without its image a container still has a status, only a poorer one.
      container: isSandbox
        ? undefined
        : makeRuntimeContainer(inspection, labels, await image(inspection.imageId).catch(() => undefined)),
    };
    // One that began later may have ended sooner.
    const before = entries.get(id);
    if (before && before.order > mine) return before.inspected;
    entries.set(id, { inspected, order: mine });
    return inspected;
  };
  const fresh = (id: ContainerId, connect?: Connect): Promise<Inspected | undefined> => {
    touched.delete(id);
    unstarted.delete(id);
    const work = inspect(id, connect)
      .catch((error: unknown) => {
        touched.add(id);
        throw error;
      })
      .finally(() => {
        if (pending.get(id) === work) pending.delete(id);
      });
    pending.set(id, work);
    return work;
  };
  return {
    async of({ id, state }) {
      if (state === 'created' && unstarted.has(id)) return undefined;
      const running = pending.get(id);
      if (running && !touched.has(id)) return running;
      const known = entries.get(id)?.inspected;
      // No container becomes `created` again: such a list is older than what is known.
      if (known && !touched.has(id) && (state === known.inspection.status || state === 'created')) return known;
      return fresh(id);
    },
    made: (id) => void unstarted.add(id),
    fresh,
    known: (id) => entries.get(id)?.inspected,
    touch: (id) => {
      if (entries.has(id) || pending.has(id)) touched.add(id);
    },
    forget: (id) => {
      entries.delete(id);
      touched.delete(id);
      unstarted.delete(id);
    },
    keepOnly(ids) {
      for (const id of [...entries.keys(), ...touched]) {
        if (ids.has(id)) continue;
        entries.delete(id);
        touched.delete(id);
      }
    },
    image,
  };
}
