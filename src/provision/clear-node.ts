import { messageOf } from '../base/errors.js';
import { removePodCgroups } from '../host/cgroups.js';
import { removeKubeChains } from '../host/netfilter.js';
import { unmountUnder } from '../host/unmount.js';
import { componentImage } from '../release/image-of.js';
import { type InstallContext, slot } from './install-context.js';
import { kubeletLabels } from './node-agent.js';
import { runOnHostOrInImage } from './run-in-image.js';
import { stopPods } from './stop-pods.js';

/**
 * Takes this cluster's kubelets away, and what they have made: pods' containers, mounts, control groups, packet filter
 * chains. Another kubelet begins afresh then. The journal's entries about all that stand.
 */
export async function clearNode(context: InstallContext): Promise<void> {
  const { options, runtime, release } = context;
  const { cluster } = options;
  const engine = slot(context, 'engine');
  const labels = Object.entries(kubeletLabels(cluster.name)).map(([key, value]) => `${key}=${value}`);
  for (const { id } of await engine.listContainers({ all: true, labels })) {
    await engine.removeContainer(id, { force: true });
  }
  const entries = slot(context, 'journal').entries();
  const pods = entries.find(({ change }) => change.kind === 'pods');
  if (pods) await stopPods(engine, pods.time, runtime.signal);
  await unmountUnder(cluster.paths.kubeletDir, runtime.host);
  await removePodCgroups(runtime.host);
  const netfilter = entries.map(({ change }) => change).find((change) => change.kind === 'netfilter');
  if (!netfilter) return;
  const run = runOnHostOrInImage(runtime.host.run, engine, componentImage(release, 'kube-proxy'));
  // Uninstall looks at them again.
  await removeKubeChains({ run, keep: netfilter.existingChains }).catch((error: unknown) => {
    runtime.logger.debug('packet filter chains of the former kubelet stay', { reason: messageOf(error) });
  });
}
