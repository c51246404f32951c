import type { StaticComponent } from '../controlplane/component-flags.js';
import type { ContainerDetails, ContainerEngine } from '../docker/types.js';

/** The labels that every kubelet on Docker puts on its containers (`pkg/kubelet/types/labels.go`, dockershim). */
export const podLabels = {
  containerName: 'io.kubernetes.container.name',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  dockerType: 'io.kubernetes.docker.type',
  restartCount: 'annotation.io.kubernetes.container.restartCount',
  gracePeriod: 'annotation.io.kubernetes.pod.terminationGracePeriod',
} as const;

/** The newest container of a static pod's, running or not; undefined before the kubelet made one. */
export async function findComponentContainer(
  engine: Pick<ContainerEngine, 'listContainers' | 'inspectContainer'>,
  component: StaticComponent,
  nodeName: string,
): Promise<ContainerDetails | undefined> {
  const found = await engine.listContainers({
    all: true,
    labels: [
      `${podLabels.containerName}=${component}`,
      `${podLabels.podNamespace}=kube-system`,
      `${podLabels.podName}=${component}-${nodeName}`,
      `${podLabels.dockerType}=container`,
    ],
  });
  const details = await Promise.all(found.map(({ id }) => engine.inspectContainer(id)));
  return details
    .filter((container) => container !== undefined)
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt))[0];
}
