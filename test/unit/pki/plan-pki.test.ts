import t from 'tap';
import { type PkiOptions, planPki, subjectAlternativeNames } from '../../../src/pki/plan-pki.js';
import type { LeafSpec } from '../../../src/pki/types.js';

const options: PkiOptions = {
  nodeName: 'node-1',
  hostName: 'Box.Example',
  nodeAddresses: ['192.0.2.10', 'FD00::10'],
  serviceCidr: '10.96.0.0/12',
  clusterDomain: 'cluster.local',
  extraSans: ['api.example.com', '198.51.100.7', '*.apps.example.com'],
};

function leaf(name: LeafSpec['name'], changes: Partial<PkiOptions> = {}): LeafSpec {
  const spec = planPki({ ...options, ...changes }).find((one) => one.name === name);
  if (spec?.kind !== 'leaf') throw new Error(`no leaf ${name}`);
  return spec;
}

t.test('the API server has every name that a local client uses', async (t) => {
  t.strictSame(leaf('apiserver').dnsNames, [
    '*.apps.example.com',
    'api.example.com',
    'box.example',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'localhost',
    'node-1',
  ]);
  t.strictSame(leaf('apiserver').ipAddresses, [
    '10.96.0.1',
    '127.0.0.1',
    '192.0.2.10',
    '198.51.100.7',
    '::1',
    'fd00::10',
  ]);
});

t.test('an IPv6 service range and a node named by its address', async (t) => {
  const spec = leaf('apiserver', { serviceCidr: 'fd01::/112', nodeName: '192.0.2.10', hostName: undefined });
  t.ok(spec.ipAddresses.includes('fd01::1'));
  t.ok(spec.ipAddresses.includes('192.0.2.10'));
  t.notOk(spec.dnsNames.includes('192.0.2.10'), 'an address is never a DNS name');
});

t.test('who is what to the API server', async (t) => {
  const cases: [name: LeafSpec['name'], subject: string, usages: string, issuer: string][] = [
    ['apiserver', 'CN=kube-apiserver', 'server', 'ca'],
    ['apiserver-kubelet-client', 'O=system:masters,CN=kube-apiserver-kubelet-client', 'client', 'ca'],
    ['apiserver-etcd-client', 'CN=kube-apiserver-etcd-client', 'client', 'etcd-ca'],
    ['front-proxy-client', 'CN=front-proxy-client', 'client', 'front-proxy-ca'],
    ['etcd-server', 'CN=node-1', 'server,client', 'etcd-ca'],
    ['etcd-peer', 'CN=node-1', 'server,client', 'etcd-ca'],
    ['etcd-healthcheck-client', 'CN=kube-etcd-healthcheck-client', 'client', 'etcd-ca'],
    ['kubelet', 'O=system:nodes,CN=system:node:node-1', 'server', 'ca'],
    ['kubelet-client', 'O=system:nodes,CN=system:node:node-1', 'client', 'ca'],
    ['admin', 'O=system:masters,CN=kubernetes-admin', 'client', 'ca'],
    ['controller-manager', 'CN=system:kube-controller-manager', 'server,client', 'ca'],
    ['scheduler', 'CN=system:kube-scheduler', 'server,client', 'ca'],
    ['kube-proxy', 'CN=system:kube-proxy', 'client', 'ca'],
    ['hyperup-health', 'O=system:monitoring,CN=hyperup-health', 'client', 'ca'],
  ];
  for (const [name, subject, usages, issuer] of cases) {
    const spec = leaf(name);
    t.equal([...spec.organizations.map((o) => `O=${o}`), `CN=${spec.commonName}`].join(), subject, name);
    t.equal(spec.usages.join(), usages, name);
    t.equal(spec.issuer, issuer, name);
  }
  t.equal(planPki(options).filter(({ kind }) => kind === 'leaf').length, cases.length, 'and nobody else');
});

t.test("kubeadm's file layout", async (t) => {
  const paths = planPki(options).map(({ path }) => path);
  t.equal(new Set(paths).size, paths.length, 'no two in one file');
  for (const path of ['ca', 'etcd/ca', 'front-proxy-ca', 'sa', 'etcd/server', 'etcd/peer', 'etcd/healthcheck-client']) {
    t.ok(paths.includes(path), path);
  }
});

t.test('every bad name is told at once', async (t) => {
  t.throws(() => planPki({ ...options, extraSans: ['ok.example', 'a b', 'x..y', '1.2.3', '-x.example'] }), {
    code: 'InvalidConfig',
    message:
      'plan certificates: got the subject alternative name "a b", "x..y", "1.2.3", "-x.example", want IP addresses or DNS names',
  });
  t.strictSame(subjectAlternativeNames(['B.a', 'b.a', '::1', '0:0::1']), { dnsNames: ['b.a'], ipAddresses: ['::1'] });
});
