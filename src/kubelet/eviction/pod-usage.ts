import type { RuntimeEngine } from '../../docker/runtime-types.js';
import type { Pleg, PodUid } from '../types.js';
import type { UsageOf } from './rank-pods.js';

/** What each pod uses of what runs out, asked for once; disks are not measured by pod, so there only requests decide. */
export async function readPodUsage(
  engine: Pick<RuntimeEngine, 'containerStats'>,
  pleg: Pick<Pleg, 'status'>,
  uids: readonly PodUid[],
  resource: string,
): Promise<UsageOf> {
  const usage = new Map<PodUid, number>();
  if (resource !== 'memory' && resource !== 'pids') return () => 0;
  await Promise.all(
    uids.map(async (uid) => {
      const running = pleg.status(uid)?.containers.filter(({ state }) => state === 'running') ?? [];
      const stats = await Promise.all(running.map(({ id }) => engine.containerStats(id).catch(() => undefined)));
      const sum = stats.reduce(
        (total, each) => total + ((resource === 'memory' ? each?.memoryWorkingSetBytes : each?.processes) ?? 0),
        0,
      );
      usage.set(uid, sum);
    }),
  );
  return (uid) => usage.get(uid) ?? 0;
}
