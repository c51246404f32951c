import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { DnsKind } from '../../../src/config/types.js';
import type { ContainerDetails, ContainerEngine } from '../../../src/docker/types.js';
import type { KubeClient } from '../../../src/kube/kube-client-types.js';
import type { ClusterRecord } from '../../../src/provision/cluster-record.js';
import { dnsStatus } from '../../../src/provision/dns-status.js';
import { makeCluster } from '../../builders/cluster.js';

interface Scene {
  readonly dns: DnsKind | undefined;
  /** What the API server has under the name that it is asked for; an error where it does not answer. */
  readonly deployments?: Readonly<Record<string, number>> | HyperupError;
  readonly hasContainer?: boolean;
}

function statusOf({ dns, deployments = {}, hasContainer = true }: Scene) {
  const kube = {
    find: async (_: unknown, { name }: { name: string }) => {
      if (deployments instanceof HyperupError) throw deployments;
      const availableReplicas = deployments[name];
      if (availableReplicas === undefined) return undefined;
      const containers = [{ name, image: `registry.example:5000/x/${name}:1.7.0` }];
      return { spec: { template: { spec: { containers } } }, status: { availableReplicas } };
    },
  };
  const engine = {
    listContainers: async ({ labels }: { labels: readonly string[] }) =>
      hasContainer &&
      labels.some((label) => label.endsWith(`container.name=${dns === 'coredns' ? 'coredns' : 'hyperup-dns'}`))
        ? [{ id: 'c1' }]
        : [],
    inspectContainer: async () => ({ id: 'c1', createdAt: '2026-01-01T00:00:00Z' }) as unknown as ContainerDetails,
    tailLogs: async () => 'one\ntwo\n',
  };
  return dnsStatus({
    record: { dns, cluster: makeCluster() } as ClusterRecord,
    kube: kube as unknown as KubeClient,
    engine: engine as unknown as ContainerEngine,
    timeoutMs: 1000,
    factsOf: () => ({ pid: 7, restarts: 0 }),
  });
}

t.test('what status says of the DNS server', async (t) => {
  t.equal(await statusOf({ dns: undefined }), undefined, 'nothing, of a cluster from before there was one');
  t.equal(await statusOf({ dns: 'none' }), undefined, 'nor of one that was made without');
  t.strictSame(await statusOf({ dns: 'coredns', deployments: { coredns: 1 } }), {
    component: 'dns',
    state: 'up',
    message: 'CoreDNS, at 10.96.0.10',
    endpoint: 'dns://10.96.0.10:53',
    ports: [53, 9153],
    version: '1.7.0',
    pid: 7,
    restarts: 0,
  });
  t.match(await statusOf({ dns: 'builtin', deployments: { 'hyperup-dns': 1 } }), { state: 'up', message: /own, at/ });
  const starting = await statusOf({ dns: 'builtin', deployments: { 'hyperup-dns': 0 } });
  t.match(starting, { state: 'down', message: /no replica/, pid: 7, lastLog: ['one', 'two'] });
  const gone = await statusOf({ dns: 'builtin', deployments: { coredns: 1 }, hasContainer: false });
  t.match(gone, { state: 'down', message: 'no Deployment hyperup-dns', lastLog: [] });
  const silent = await statusOf({ dns: 'builtin', deployments: new HyperupError('Timeout', 'no answer') });
  t.match(silent, { state: 'unknown', message: 'no answer' });
});
