import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.js';
import { type Probe, waitFor } from '../../../src/base/wait.js';
import type { ClusterOptions } from '../../../src/config/types.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import { readClientOptions } from '../../../src/kube/kubeconfig-client.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { nodeFault } from '../../../src/provision/steps/wait-node.js';

const intervalMs = 20;
const timeoutMs = 180_000;

/**
 * Milliseconds from the first time that the API server's /readyz says yes until the node is Ready, seen from outside
 * while an install goes on. Throws `Timeout`, or `Aborted` when the signal fires.
 */
export async function timeNodeReady(cluster: ClusterOptions, clock: Clock, signal: AbortSignal): Promise<number> {
  const until = <T>(what: string, probe: () => Promise<Probe<T>>) =>
    waitFor(what, probe, { clock, timeoutMs, intervalMs, signal });
  const path = join(cluster.paths.configDir, 'admin.conf');
  const client = await until(path, async () => ({
    done: true,
    value: createKubeClient({ ...(await readClientOptions(path)), timeoutMs: 2000 }),
  }));
  try {
    const readyzMs = await until("the API server's /readyz", async () => {
      const { statusCode } = await client.raw('/readyz');
      const atMs = clock.monotonicMs();
      return statusCode === 200 ? { done: true, value: atMs } : { done: false, reason: `it says ${statusCode}` };
    });
    return await until(`node ${cluster.nodeName}`, async () => {
      const node = await client.find(resources.nodes, { name: cluster.nodeName });
      const atMs = clock.monotonicMs();
      const reason = nodeFault(node, cluster.kubernetesVersion);
      return reason === undefined ? { done: true, value: atMs - readyzMs } : { done: false, reason };
    });
  } finally {
    await client.close();
  }
}
