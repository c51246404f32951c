import type { DnsServer } from '../config/types.js';
import type { StaticComponent } from '../controlplane/component-flags.js';
import { dnsDeployments } from '../controlplane/dns.js';
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

type Containers = Pick<ContainerEngine, 'listContainers' | 'inspectContainer'>;

/** The newest container of a static pod's, running or not; undefined before the kubelet made one. */
export async function findComponentContainer(
  engine: Containers,
  component: StaticComponent,
  nodeName: string,
): Promise<ContainerDetails | undefined> {
  return (await findComponentAttempts(engine, component, nodeName))[0];
}

/** All containers that a static pod's component has had and the kubelet has kept, the newest first. */
export function findComponentAttempts(
  engine: Containers,
  component: StaticComponent,
  nodeName: string,
): Promise<readonly ContainerDetails[]> {
  return findAttempts(engine, component, [`${podLabels.podName}=${component}-${nodeName}`]);
}

/** The newest container of the DNS server's, running or not. */
export async function findDnsContainer(engine: Containers, server: DnsServer): Promise<ContainerDetails | undefined> {
  return (await findAttempts(engine, dnsDeployments[server], []))[0];
}

async function findAttempts(
  engine: Containers,
  name: string,
  further: readonly string[],
): Promise<readonly ContainerDetails[]> {
  const found = await engine.listContainers({
    all: true,
    labels: [
      `${podLabels.containerName}=${name}`,
      `${podLabels.podNamespace}=kube-system`,
      ...further,
      `${podLabels.dockerType}=container`,
    ],
  });
  const details = await Promise.all(found.map(({ id }) => engine.inspectContainer(id)));
  return details.filter((container) => container !== undefined).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}
