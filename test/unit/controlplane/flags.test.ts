import { join } from 'node:path';
import t from 'tap';
import { componentFlags, staticComponents } from '../../../src/controlplane/component-flags.js';
import { renderFlags } from '../../../src/controlplane/flags.js';
import { readManifests } from '../../../src/controlplane/manifests.js';
import { plannedNode } from '../../../src/controlplane/node-object.js';
import { fillStaticPod } from '../../../src/controlplane/static-pods.js';
import { makeCluster } from '../../builders/cluster.js';
import { makeControlPlaneInputs } from '../../builders/inputs.js';

t.test('flags are rendered for their version', async (t) => {
  const cases = [
    { name: 'sorted, lists joined', version: 'v1.20.2', flags: { b: ['x', 'y'], a: 1 }, want: ['--a=1', '--b=x,y'] },
    { name: 'undefined is left out', version: 'v1.20.2', flags: { a: undefined, b: false }, want: ['--b=false'] },
    { name: 'too old', version: 'v1.19.16', flags: { a: { value: 1, since: 20 } }, want: [] },
    { name: 'new enough', version: 'v1.20.0', flags: { a: { value: 1, since: 20 } }, want: ['--a=1'] },
    { name: 'still there', version: 'v1.23.9', flags: { a: { value: 1, until: 24 } }, want: ['--a=1'] },
    { name: 'gone', version: 'v1.24.0', flags: { a: { value: 1, until: 24 } }, want: [] },
    { name: 'undefined by rule', version: 'v1.20.0', flags: { a: { value: undefined, since: 1 } }, want: [] },
  ];
  for (const { name, version, flags, want } of cases) t.strictSame(renderFlags(version, flags), want, name);
});

t.test('nothing listens where it need not', async (t) => {
  const inputs = makeControlPlaneInputs('v1.20.2');
  const flags = (component: (typeof staticComponents)[number]) => componentFlags(component, inputs);
  t.ok(flags('kube-apiserver').includes('--insecure-port=0'));
  t.ok(flags('kube-controller-manager').includes('--port=0'));
  t.ok(flags('kube-scheduler').includes('--port=0'));
  t.ok(flags('etcd').includes('--client-cert-auth=true'));
  t.ok(flags('etcd').includes('--peer-client-cert-auth=true'));
  for (const component of staticComponents) {
    for (const flag of flags(component)) {
      t.notMatch(flag, /0\.0\.0\.0/, `${component} ${flag}`);
      if (/listen|advertise-client|healthz-bind|metrics-bind/.test(flag)) t.match(flag, /127\.0\.0\.1/, flag);
    }
  }
});

t.test('what the user chose reaches the flags', async (t) => {
  const cluster = makeCluster({ serviceCidr: '10.0.0.0/24', nodePortRange: '31000-31010', clusterDomain: 'lab' });
  const flags = componentFlags('kube-apiserver', makeControlPlaneInputs('v1.20.2', { cluster }));
  t.ok(flags.includes('--service-cluster-ip-range=10.0.0.0/24'));
  t.ok(flags.includes('--service-node-port-range=31000-31010'));
  t.ok(flags.includes('--service-account-issuer=https://kubernetes.default.svc.lab'));
});

t.test('pods are filled in as objects', async (t) => {
  const { staticPods } = await readManifests(join(process.cwd(), 'manifests'));
  const before = JSON.stringify(staticPods);
  const withModules = fillStaticPod('kube-proxy', staticPods['kube-proxy'], makeControlPlaneInputs('v1.20.2'));
  const without = fillStaticPod(
    'kube-proxy',
    staticPods['kube-proxy'],
    makeControlPlaneInputs('v1.20.2', { hostHasModules: false }),
  );
  t.equal(JSON.stringify(staticPods), before, 'the skeletons stay as they were');
  t.ok(withModules.spec.volumes?.some(({ name }) => name === 'modules'));
  t.notOk(
    without.spec.volumes?.some(({ name }) => name === 'modules'),
    'no folder is made by being mounted',
  );
  t.throws(() => fillStaticPod('etcd', staticPods['kube-proxy'], makeControlPlaneInputs('v1.20.2')), {
    code: 'Internal',
  });
});

t.test('the node says what there is room for', async (t) => {
  const room = { cpus: 2, memoryBytes: 4 * 1024 ** 3 };
  const node = plannedNode(makeControlPlaneInputs('v1.20.2'), room);
  t.strictSame(node.status?.allocatable, { cpu: '2', memory: '4194304Ki', pods: '110' });
  t.equal(node.spec?.podCIDR, '172.17.0.0/16');
  t.strictSame(plannedNode(makeControlPlaneInputs('v1.20.2', { podCidr: undefined }), room).spec, {});
});
