import { HyperupError } from '../base/errors.js';
import { dnsAddress } from '../config/dns-address.js';
import type { ClusterOptions, DnsServer } from '../config/types.js';
import type { V1Service } from '../kube/objects.js';
import type { V1Deployment } from '../kube/workload-objects.js';
import type { ManifestObject } from './manifests.js';

/** What each one's Deployment is called, and its container. */
export const dnsDeployments: Readonly<Record<DnsServer, string>> = { coredns: 'coredns', builtin: 'hyperup-dns' };

/** All that the DNS server's objects are made from. */
export interface DnsInputs {
  readonly cluster: Pick<ClusterOptions, 'clusterDomain' | 'serviceCidr' | 'nodeAddress' | 'ports'>;
  readonly image: string;
  /** The built-in server's program in its image, with the interpreter; CoreDNS' image knows its own. */
  readonly command: readonly string[];
  /** True where the host's resolver file names a server that a pod can ask. */
  readonly hasResolvers: boolean;
}

function serverArguments(server: DnsServer, { cluster, hasResolvers }: DnsInputs): readonly string[] {
  if (server === 'builtin') return [`--cluster-domain=${cluster.clusterDomain}`];
  return ['-conf', `/etc/coredns/${hasResolvers ? 'Corefile' : 'Corefile.alone'}`];
}

/**
 * What the server is told by its environment. It reaches the API server at the node's address: through the Service it
 * would have to wait for kube-proxy, and lose touch whenever that fails.
 */
function serverEnvironment(server: DnsServer, { cluster }: DnsInputs) {
  const domain = server === 'coredns' ? [{ name: 'CLUSTER_DOMAIN', value: cluster.clusterDomain }] : [];
  return [
    ...domain,
    { name: 'KUBERNETES_SERVICE_HOST', value: cluster.nodeAddress },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(cluster.ports.api) },
  ];
}

function fillDeployment(server: DnsServer, deployment: V1Deployment, inputs: DnsInputs): V1Deployment {
  const { spec } = deployment;
  const [container, ...others] = spec?.template.spec?.containers ?? [];
  if (!spec?.template.spec || !container || others.length > 0 || container.name !== dnsDeployments[server]) {
    throw new HyperupError('Internal', `manifest dns/${server}: not the Deployment of that server`);
  }
  const filled = {
    ...container,
    image: inputs.image,
    ...(server === 'builtin' ? { command: [...inputs.command] } : {}),
    args: [...serverArguments(server, inputs)],
    env: serverEnvironment(server, inputs),
  };
  return {
    ...deployment,
    spec: {
      ...spec,
      template: { ...spec.template, spec: { ...spec.template.spec, containers: [filled] } },
    },
  };
}

/** The DNS server's objects (`manifests/dns/<server>.yaml`, parsed) with image, arguments and address filled in. Pure. */
export function planDnsObjects(
  server: DnsServer,
  objects: readonly ManifestObject[],
  inputs: DnsInputs,
): readonly ManifestObject[] {
  const clusterIP = dnsAddress(inputs.cluster.serviceCidr);
  return objects.map((object): ManifestObject => {
    if (object.kind === 'Deployment') {
      return fillDeployment(server, object as V1Deployment, inputs) as ManifestObject;
    }
    if (object.kind !== 'Service') return object;
    const service = object as V1Service;
    return { ...object, spec: { ...service.spec, clusterIP } } as ManifestObject;
  });
}
