import type { Clock } from '../../base/clock.js';
import type { ContainerInspection, ContainerListing, EngineImage, RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId, RuntimeContainer, RuntimeSandbox } from '../types.js';
import { type LabeledContainer, parseLabels } from './labels.js';
import { makeRuntimeContainer, makeRuntimeSandbox } from './status.js';

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
  /** Asks the engine whatever is known. */
  fresh(id: ContainerId): Promise<Inspected | undefined>;
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

interface Entry {
  readonly inspected: Inspected;
  readonly order: number;
}

const imageAgeMs = 60_000;
const maxImages = 200;

export function createInspections(engine: RuntimeEngine, clock: Clock): Inspections {
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
  const inspect = async (id: ContainerId): Promise<Inspected | undefined> => {
    const mine = ++order;
    const inspection = await engine.inspectContainer(id);
    if (!inspection) {
      entries.delete(id);
      return undefined;
    }
    const labels = parseLabels(inspection.labels);
    if (!labels) return undefined;
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
  const fresh = (id: ContainerId): Promise<Inspected | undefined> => {
    touched.delete(id);
    unstarted.delete(id);
    const work = inspect(id)
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
