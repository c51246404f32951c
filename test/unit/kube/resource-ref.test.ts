import t from 'tap';
import { keyOf, type ResourceRef, resourceOf, resourcePath, resources } from '../../../src/kube/resource-ref.js';

t.test('paths', async (t) => {
  const { pods, nodes, leases, clusterRoles } = resources;
  const cases: [
    ref: ResourceRef<unknown>,
    key: { name?: string; namespace?: string },
    sub: string | undefined,
    want: string,
  ][] = [
    [pods, {}, undefined, '/api/v1/pods'],
    [pods, { namespace: 'a' }, undefined, '/api/v1/namespaces/a/pods'],
    [pods, { namespace: 'a', name: 'b' }, 'status', '/api/v1/namespaces/a/pods/b/status'],
    [nodes, { name: 'n' }, undefined, '/api/v1/nodes/n'],
    [nodes, { name: 'n', namespace: 'ignored' }, undefined, '/api/v1/nodes/n'],
    [leases, { namespace: 'a', name: 'l' }, undefined, '/apis/coordination.k8s.io/v1/namespaces/a/leases/l'],
    [clusterRoles, { name: 'system:node' }, undefined, '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode'],
    [pods, { namespace: '../x', name: 'a?b' }, undefined, '/api/v1/namespaces/..%2Fx/pods/a%3Fb'],
  ];
  for (const [ref, key, sub, want] of cases) t.equal(resourcePath(ref, key, sub), want);
  t.throws(() => resourcePath(pods, { name: 'a' }), { code: 'Internal' }, 'never a path that means something else');
});

t.test('objects from manifests', async (t) => {
  t.equal(resourceOf({ apiVersion: 'apps/v1', kind: 'DaemonSet' }), resources.daemonSets);
  t.throws(() => resourceOf({ apiVersion: 'apps/v1beta1', kind: 'DaemonSet' }), {
    code: 'NotFound',
    message: /DaemonSet \(apps\/v1beta1\)/,
  });
  t.throws(() => resourceOf({}), { code: 'NotFound' });
  t.strictSame(keyOf({ metadata: { name: 'a', namespace: 'b' } }), { name: 'a', namespace: 'b' });
  t.throws(() => keyOf({ kind: 'Pod' }), { code: 'InvalidConfig', message: /Pod/ });
});
