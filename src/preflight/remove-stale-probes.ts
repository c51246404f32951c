import { type Engine, managedLabel, roleLabel } from '../docker/types.js';
import { probeImageName } from './privileged-probe.js';

/**
 * Removes what a privileged probe left that was cut short: its stopped containers, by label, and its images. One that
 * runs belongs to a preflight of this moment and stays. Gives how many things went. Idempotent.
 */
export async function removeStaleProbes(
  engine: Pick<Engine, 'listContainers' | 'removeContainer' | 'listImages' | 'removeImage'>,
): Promise<number> {
  const labels = [`${managedLabel}=true`, `${roleLabel}=preflight`];
  const containers = await engine.listContainers({ all: true, labels });
  const stale = containers.filter(({ state }) => state !== 'running');
  for (const { id } of stale) await engine.removeContainer(id, { force: true });
  if (stale.length < containers.length) return stale.length;
  const images = await engine.listImages();
  const tags = images.flatMap((image) => image.tags).filter((tag) => tag.startsWith(`${probeImageName}:`));
  for (const tag of tags) await engine.removeImage(tag, { force: true });
  return stale.length + tags.length;
}
