import type { PodRecord, PodWorkersOptions } from './worker-types.js';

/**
 * Gives running app containers the resources that their specification has now (in-place resize, from 1.33). What an
 * instance was started with counts as given. Failures are logged and tried again at the next sync.
 */
export async function applyResources(
  options: Pick<PodWorkersOptions, 'runtime' | 'pleg' | 'logger'>,
  record: PodRecord,
): Promise<void> {
  const { pod, resources, uid } = record;
  const running = options.pleg.status(uid)?.containers.filter(({ state }) => state === 'running') ?? [];
  for (const id of resources.keys()) if (!running.some((instance) => instance.id === id)) resources.delete(id);
  for (const container of pod.spec?.containers ?? []) {
    const instance = running.find(({ name }) => name === container.name);
    if (!instance) continue;
    const wanted = JSON.stringify(container.resources ?? {});
    const given = resources.get(instance.id);
    if (given === wanted) continue;
    try {
      if (given !== undefined) await options.runtime.updateResources(instance.id, pod, container);
      resources.set(instance.id, wanted);
    } catch (error) {
      options.logger.warn('Changing a container’s resources failed', {
        podUID: uid,
        containerName: container.name,
        err: error,
      });
    }
  }
}
