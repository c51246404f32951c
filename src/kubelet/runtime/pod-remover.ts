import { HyperupError, messageOf } from '../../base/errors.js';
import type { RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId, PodRuntime, PodUid } from '../types.js';
import type { PodCgroups } from './cgroups.js';
import type { Inspections } from './inspections.js';
import { type LabeledContainer, parseLabels } from './labels.js';
import type { Listings } from './listings.js';
import type { LogLinks } from './log-links.js';

export interface PodRemoverParts {
  readonly engine: RuntimeEngine;
  readonly inspections: Inspections;
  readonly listings: Listings;
  readonly links: LogLinks;
  readonly cgroups: PodCgroups;
}

/** See `PodRuntime.removeContainer` and `removePod`. */
export function createPodRemover(parts: PodRemoverParts): Pick<PodRuntime, 'removeContainer' | 'removePod'> {
  const { engine, inspections, listings, links, cgroups } = parts;
  const remove = async (id: ContainerId, labels: LabeledContainer | undefined): Promise<void> => {
    await engine.removeContainer(id);
    inspections.forget(id);
    if (labels?.type === 'container') await links.remove({ ...labels, id });
  };
  const removeAll = async (
    all: readonly { readonly id: ContainerId; readonly labels: LabeledContainer | undefined }[],
    uid: PodUid,
  ) => {
    const results = await Promise.allSettled(all.map(({ id, labels }) => remove(id, labels)));
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (errors.length === 0) return;
    throw new HyperupError('EngineFailed', `remove pod ${uid}: ${errors.map(messageOf).join('; ')}`, {
      cause: errors[0],
      details: { podUID: uid },
    });
  };
  return {
    async removeContainer(id) {
      const known = inspections.known(id) ?? (await inspections.fresh(id));
      await remove(id, known?.labels);
    },
    async removePod(uid) {
      const found = (await listings.ofPod(uid)).map(({ id, labels }) => ({ id, labels: parseLabels(labels) }));
      // The sandbox last: others are in its namespaces.
      const isSandbox = (one: (typeof found)[number]) => one.labels?.type === 'sandbox';
      await removeAll(
        found.filter((one) => !isSandbox(one)),
        uid,
      );
      await removeAll(found.filter(isSandbox), uid);
      await Promise.all([links.removePod(uid), cgroups.remove(uid)]);
    },
  };
}
