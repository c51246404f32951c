import t from 'tap';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import { createLeaseKeeper } from '../../../src/kube/lease-keeper.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { sendStatus, startFakeApiServer } from '../../fakes/fake-api-server.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

t.test('a node lease is made, renewed with one call each, and mended', async (t) => {
  const server = await startFakeApiServer();
  const client = createKubeClient({ server: server.url, caPem: server.certificates.authority.certPem });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const clock = makeManualClock(Date.UTC(2026, 0, 1));
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'u1' };
  let known = false;
  const keeper = createLeaseKeeper({
    client,
    clock,
    namespace: 'kube-node-lease',
    name: 'node-1',
    holderIdentity: 'node-1',
    leaseDurationSeconds: 40,
    owner: async () => (known ? owner : undefined),
  });
  const calls = () => server.requests.splice(0).map(({ method, path: at }) => `${method} ${at.replace(path, '')}`);

  const made = await keeper.renew();
  t.match(made, {
    kind: 'Lease',
    metadata: { name: 'node-1', namespace: 'kube-node-lease' },
    spec: { holderIdentity: 'node-1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
  });
  t.equal(made.metadata?.ownerReferences, undefined);
  t.strictSame(calls(), ['GET /node-1', 'POST ']);

  known = true;
  clock.advance(10_500);
  const renewed = await keeper.renew();
  t.equal(renewed.spec?.renewTime, '2026-01-01T00:00:10.500000Z');
  t.strictSame(renewed.metadata?.ownerReferences, [owner], 'the owner comes later');
  t.strictSame(calls(), ['PUT /node-1']);

  const key = { name: 'node-1', namespace: 'kube-node-lease' };
  await client.patch(resources.leases, key, { type: 'merge', body: { metadata: { labels: { by: 'other' } } } });
  calls();
  const afterConflict = await keeper.renew();
  t.strictSame(calls(), ['PUT /node-1', 'GET /node-1', 'PUT /node-1']);
  t.strictSame(afterConflict.metadata?.labels, { by: 'other' }, "another's change stays");

  await client.delete(resources.leases, key);
  calls();
  await keeper.renew();
  t.strictSame(calls(), ['PUT /node-1', 'GET /node-1', 'POST ']);

  server.on(`PUT ${path}/node-1`, (_, response) => sendStatus(response, 403, 'Forbidden', 'no'));
  await t.rejects(keeper.renew(), { code: 'PermissionDenied' });
});
