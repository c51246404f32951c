import type { ContainerEngine, ContainerSummary } from '../docker/types.js';
import { podLabels } from './component-containers.js';

/** How long a component of the control plane may take to end, seconds; they end at once unless something hangs. */
const controlPlaneGraceSeconds = 4;
/** What a pod may ask for at the most; one that asks for an hour must not hold an uninstall for it. */
const longestGraceSeconds = 30;

const containerType = `${podLabels.dockerType}=container`;
const sandboxType = `${podLabels.dockerType}=podsandbox`;

function graceOf(container: ContainerSummary): number {
  if (container.labels[podLabels.podNamespace] === 'kube-system') return controlPlaneGraceSeconds;
  const asked = Number(container.labels[podLabels.gracePeriod] ?? 30);
  return Number.isFinite(asked) ? Math.min(Math.max(asked, 1), longestGraceSeconds) : longestGraceSeconds;
}

/** Pods of users first, then what serves them, the store last. */
function rank(container: ContainerSummary): number {
  if (container.labels[podLabels.podNamespace] !== 'kube-system') return 0;
  return container.labels[podLabels.containerName] === 'etcd' ? 2 : 1;
}

/**
 * Stops and removes the containers of pods made since `since` (ISO 8601): each with its own grace, users' pods before
 * the control plane, etcd last, sandboxes at the end. The kubelet must be stopped. Containers that were there before,
 * or that no kubelet made, are not touched. Gives how many were removed.
 */
export async function stopPods(engine: ContainerEngine, since: string, signal?: AbortSignal): Promise<number> {
  // Docker's times are those of the same clock; a second of slack for its rounding.
  const sinceMs = Date.parse(since) - 1000;
  const ours = (container: ContainerSummary) => Date.parse(container.createdAt) >= sinceMs;
  const containers = (await engine.listContainers({ all: true, labels: [containerType] })).filter(ours);
  for (const turn of [0, 1, 2]) {
    await Promise.all(
      containers
        .filter((container) => rank(container) === turn)
        .map(async (container) => {
          if (container.state === 'running') await engine.stopContainer(container.id, graceOf(container));
          await engine.removeContainer(container.id, { force: true });
        }),
    );
    signal?.throwIfAborted();
  }
  const sandboxes = (await engine.listContainers({ all: true, labels: [sandboxType] })).filter(ours);
  await Promise.all(sandboxes.map(({ id }) => engine.removeContainer(id, { force: true })));
  return containers.length + sandboxes.length;
}
