import type { FakeApiServer } from '../../fakes/fake-api-server.js';
import type { StoredObject, Target } from '../../fakes/fake-api-server-store.js';

export const serviceCount = 5000;
export const endpointCount = 20_000;
const namespaceCount = 50;
/** One Service in ten is headless; the last of them is the one that changes. */
const headlessEvery = 10;

export interface BenchService {
  readonly namespace: string;
  readonly name: string;
  readonly headless: boolean;
  readonly clusterIp: string;
  readonly endpoints: readonly string[];
}

/** The Services of the bench: 5,000 in 50 namespaces, with 20,000 endpoints. Pure. */
export function benchServices(): readonly BenchService[] {
  const each = endpointCount / serviceCount;
  return Array.from({ length: serviceCount }, (_, i) => ({
    namespace: `team-${i % namespaceCount}`,
    name: `service-${i}`,
    headless: i % headlessEvery === headlessEvery - 1,
    clusterIp: `10.${96 + (i >> 16)}.${(i >> 8) & 0xff}.${i & 0xff}`,
    endpoints: Array.from({ length: each }, (_unused, j) => address(i * each + j)),
  }));
}

function address(n: number): string {
  return `10.244.${(n >> 8) & 0xff}.${n & 0xff}`;
}

/** The name that a client asks for. */
export function nameOf({ name, namespace }: BenchService): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

/** What dnsperf sends: what pods' resolvers ask, `A` and `AAAA` of names and of names that the search path makes. Pure. */
export function queryLines(services: readonly BenchService[]): string {
  const lines = services.flatMap((service, i) => {
    const name = nameOf(service);
    const lines = [`${name} A`, `${name} AAAA`];
    if (i % 5 === 0) lines.push(`${name}.${service.namespace}.svc.cluster.local A`);
    if (i % 10 === 0) lines.push(`_http._tcp.${name} SRV`);
    if (i % 20 === 0) lines.push(`${service.clusterIp.split('.').reverse().join('.')}.in-addr.arpa PTR`);
    return lines;
  });
  return `${lines.join('\n')}\n`;
}

/** Objects as large as the API's own: what a server must not keep of them is there. */
export function fillApiServer(api: FakeApiServer, services: readonly BenchService[]): void {
  for (const namespace of new Set(services.map((service) => service.namespace))) {
    put(api, '/api/v1/namespaces', undefined, namespace, { status: { phase: 'Active' } });
  }
  for (const service of services) {
    const { namespace, name, headless, clusterIp } = service;
    const ip = headless ? 'None' : clusterIp;
    put(api, '/api/v1/services', namespace, name, {
      spec: {
        clusterIP: ip,
        clusterIPs: [ip],
        type: 'ClusterIP',
        selector: { app: name },
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
      },
      status: { loadBalancer: {} },
    });
    putSlice(api, service, service.endpoints);
  }
}

export function putSlice(api: FakeApiServer, service: BenchService, addresses: readonly string[]): void {
  const { namespace, name } = service;
  put(
    api,
    '/apis/discovery.k8s.io/v1/endpointslices',
    namespace,
    `${name}-x7k2p`,
    {
      addressType: 'IPv4',
      endpoints: addresses.map((ip, i) => ({
        addresses: [ip],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node-1',
        targetRef: {
          kind: 'Pod',
          namespace,
          name: `${name}-${i}`,
          uid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
        },
      })),
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    },
    { 'kubernetes.io/service-name': name },
  );
}

function put(
  api: FakeApiServer,
  collection: string,
  namespace: string | undefined,
  name: string,
  fields: Record<string, unknown>,
  labels: Record<string, string> = {},
): void {
  const target: Target = { collection, namespace, name, subresource: undefined };
  const metadata = {
    name,
    labels: { app: name, ...labels },
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2021-01-13T13:20:00Z' },
    creationTimestamp: '2021-01-13T13:20:00Z',
    managedFields: [
      { manager: 'kube-controller-manager', operation: 'Update', fieldsV1: { 'f:metadata': { 'f:labels': {} } } },
    ],
    resourceVersion: '',
    uid: '',
  };
  api.store.put(target, { metadata, ...fields } as StoredObject);
}
