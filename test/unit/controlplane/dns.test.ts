import { join } from 'node:path';
import t from 'tap';
import type { DnsServer } from '../../../src/config/types.js';
import { dnsDeployments, planDnsObjects } from '../../../src/controlplane/dns.js';
import { type ManifestObject, readManifests } from '../../../src/controlplane/manifests.js';
import { resourceOf } from '../../../src/kube/resource-ref.js';
import type { V1Deployment } from '../../../src/kube/workload-objects.js';
import { releaseFor } from '../../../src/release/release-for.js';
import { makeCluster } from '../../builders/cluster.js';
import { matchGolden } from '../../fixtures/golden.js';

const manifests = await readManifests(join(process.cwd(), 'manifests'));

const inputs = {
  cluster: makeCluster(),
  image: 'hyperup/kubelet:1.2.3',
  command: ['/usr/local/bin/node', '/dns.js'],
  hasResolvers: true,
};

const containerOf = (objects: readonly ManifestObject[]) => {
  const deployment = objects.find(({ kind }) => kind === 'Deployment') as V1Deployment | undefined;
  return deployment?.spec?.template.spec?.containers[0];
};

t.test('the objects of each server', async (t) => {
  const images = { builtin: inputs.image, coredns: releaseFor('v1.20.2').coredns.reference };
  for (const server of ['builtin', 'coredns'] as const satisfies readonly DnsServer[]) {
    const objects = planDnsObjects(server, manifests.dns[server], { ...inputs, image: images[server] });
    matchGolden(t, `v1.20.2/dns-${server}.yaml`, objects);
    for (const object of objects)
      t.doesNotThrow(() => resourceOf(object), `${object.kind} is a kind that can be applied`);
    const names = objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name);
    t.strictSame(names, [dnsDeployments[server]]);
  }
});

t.test('both are found by the same Service and the same labels', async (t) => {
  const pick = (server: DnsServer, kind: string) => manifests.dns[server].find((object) => object.kind === kind);
  t.strictSame(pick('builtin', 'Service'), pick('coredns', 'Service'));
  const labels = (server: DnsServer) => (pick(server, 'Deployment') as V1Deployment | undefined)?.spec?.selector;
  t.strictSame(labels('builtin'), labels('coredns'));
});

t.test('the address is the tenth of the range, the domain is told', async (t) => {
  const cluster = makeCluster({ serviceCidr: '172.30.0.0/28', clusterDomain: 'lab.example' });
  const objects = planDnsObjects('builtin', manifests.dns.builtin, { ...inputs, cluster });
  t.match(
    objects.find(({ kind }) => kind === 'Service'),
    { spec: { clusterIP: '172.30.0.10' } },
  );
  t.strictSame(containerOf(objects)?.args, ['--cluster-domain=lab.example']);
  const coredns = planDnsObjects('coredns', manifests.dns.coredns, { ...inputs, cluster });
  t.match(containerOf(coredns)?.env, [{ name: 'CLUSTER_DOMAIN', value: 'lab.example' }]);
  t.equal(containerOf(coredns)?.command, undefined, "CoreDNS' image knows its own");
});

t.test('CoreDNS is not told to forward where there is nobody to forward to', async (t) => {
  const argumentsWith = (hasResolvers: boolean) =>
    containerOf(planDnsObjects('coredns', manifests.dns.coredns, { ...inputs, hasResolvers }))?.args;
  t.strictSame(argumentsWith(true), ['-conf', '/etc/coredns/Corefile']);
  t.strictSame(argumentsWith(false), ['-conf', '/etc/coredns/Corefile.alone']);
  const config = manifests.dns.coredns.find(({ kind }) => kind === 'ConfigMap') as { data?: Record<string, string> };
  t.match(config.data?.['Corefile'], /forward \. \/etc\/resolv\.conf/);
  t.notMatch(config.data?.['Corefile.alone'], /forward|loop/);
});

t.test("another server's manifest is refused", async (t) => {
  t.throws(() => planDnsObjects('coredns', manifests.dns.builtin, inputs), { code: 'Internal' });
});
