import { messageOf } from '../base/errors.js';
import { dnsAddress } from '../config/dns-address.js';
import { dnsDeployments } from '../controlplane/dns.js';
import type { ContainerEngine } from '../docker/types.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import { resources } from '../kube/resource-ref.js';
import type { ClusterRecord } from './cluster-record.js';
import { findDnsContainer } from './component-containers.js';
import type { ComponentStatus } from './types.js';

const logLines = 8;
const titles = { coredns: 'CoreDNS', builtin: "hyperup's own" } as const;

export interface DnsStatusOptions {
  readonly record: ClusterRecord;
  readonly kube: KubeClient;
  readonly engine: Pick<ContainerEngine, 'listContainers' | 'inspectContainer' | 'tailLogs'>;
  readonly timeoutMs: number;
  /** What a container says of itself. */
  readonly factsOf: (
    container: NonNullable<Awaited<ReturnType<typeof findDnsContainer>>>,
  ) => Pick<ComponentStatus, 'pid' | 'ageMs' | 'restarts'>;
}

/** The cluster's DNS server: up while its Deployment has a replica that is available. Undefined where there is none. */
export async function dnsStatus(options: DnsStatusOptions): Promise<ComponentStatus | undefined> {
  const { record, kube, engine, timeoutMs } = options;
  const server = record.dns ?? 'none';
  if (server === 'none') return undefined;
  const component = 'dns';
  const ports = [53, 9153];
  try {
    const key = { name: dnsDeployments[server], namespace: 'kube-system' };
    const [deployment, container] = await Promise.all([
      kube.find(resources.deployments, key, { timeoutMs }),
      findDnsContainer(engine, server).catch(() => undefined),
    ]);
    const facts = container === undefined ? {} : options.factsOf(container);
    if ((deployment?.status?.availableReplicas ?? 0) > 0) {
      const address = dnsAddress(record.cluster.serviceCidr);
      const image = deployment?.spec?.template.spec?.containers[0]?.image ?? '';
      const version = /:([^:/]+)$/.exec(image)?.[1];
      return {
        component,
        state: 'up',
        message: `${titles[server]}, at ${address}`,
        endpoint: `dns://${address}:53`,
        ports,
        ...(version === undefined ? {} : { version }),
        ...facts,
      };
    }
    const log = container === undefined ? '' : await engine.tailLogs(container.id, logLines).catch(() => '');
    const message = deployment === undefined ? `no Deployment ${key.name}` : 'no replica of it is available';
    return { component, state: 'down', message, ports, ...facts, lastLog: log.split('\n').filter(Boolean) };
  } catch (error) {
    return { component, state: 'unknown', message: messageOf(error) };
  }
}
