import t, { type Test } from 'tap';
import { createKubeClient } from '../../../../src/kube/kube-client.js';
import type { V1Node } from '../../../../src/kube/node-objects.js';
import { resources } from '../../../../src/kube/resource-ref.js';
import { createApiPodSource } from '../../../../src/kubelet/sources/api-pod-source.js';
import { createNodeSource } from '../../../../src/kubelet/sources/node-source.js';
import { createServiceSource } from '../../../../src/kubelet/sources/services.js';
import { startFakeApiServer } from '../../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../../fakes/fake-api-server-certs.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const certificates = await makeFakeCertificates();

async function scene(t: Test) {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient({ server: server.url, caPem: certificates.authority.certPem });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve));
  };
  const selectors = () => server.requests.flatMap(({ query }) => query.get('fieldSelector') ?? []);
  return { server, client, clock: makeManualClock(), until, selectors };
}

t.test('pods of the API: only of this node, and never static ones', async (t) => {
  const { client, clock, until, selectors } = await scene(t);
  const claims = { 'kubernetes.io/config.source': 'file' };
  const named = (name: string, annotations: Record<string, string>) => ({
    metadata: { name, namespace: 'a', annotations },
  });
  await client.create(resources.pods, named('liar', claims));
  const seen: string[] = [];
  const source = createApiPodSource({
    client,
    clock,
    nodeName: 'n',
    onPods(change) {
      for (const { metadata } of change.type === 'replaced' ? change.objects : [change.object]) {
        seen.push(`${change.type} ${metadata?.name} ${metadata?.annotations?.['kubernetes.io/config.source']}`);
      }
    },
  });
  source.start();
  await source.synced;
  await client.create(resources.pods, named('mirror', { ...claims, 'kubernetes.io/config.mirror': 'h' }));
  await until(() => seen.length === 2);
  t.strictSame(seen, ['replaced liar api', 'added mirror file']);
  t.strictSame([...new Set(selectors())], ['spec.nodeName=n']);
  await source.stop();
});

t.test('services: waits for the first list, then follows', async (t) => {
  const { client, clock } = await scene(t);
  const source = createServiceSource({ client, clock });
  await client.create(resources.services, { metadata: { name: 'a', namespace: 'x' } });
  const early = source.services();
  source.start();
  t.strictSame(
    (await early).map(({ metadata }) => metadata?.name),
    ['a'],
  );
  await client.create(resources.services, { metadata: { name: 'a', namespace: 'y' } });
  const namespaces = async (count: number) => {
    for (;;) {
      const now = await source.services();
      if (now.length === count) return now.map(({ metadata }) => metadata?.namespace);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  t.strictSame(await namespaces(2), ['x', 'y']);
  await client.delete(resources.services, { name: 'a', namespace: 'x' });
  t.strictSame(await namespaces(1), ['y']);
  await source.stop();
});

t.test('the node: what was fetched is not taken back', async (t) => {
  const { client, clock, until, selectors } = await scene(t);
  const source = createNodeSource({ client, clock, nodeName: 'n' });
  await t.rejects(source.fetch(), { code: 'NotFound' });
  const seen: (string | undefined)[] = [];
  const off = source.onChange((node: V1Node | undefined) => seen.push(node?.metadata?.resourceVersion));
  await client.create(resources.nodes, { metadata: { name: 'n' } });
  const fetched = await source.fetch();
  t.strictSame(source.current(), fetched);
  source.start();
  await client.patch(resources.nodes, { name: 'n' }, { type: 'merge', body: { metadata: { labels: { a: 'b' } } } });
  await until(() => source.current()?.metadata?.labels?.['a'] === 'b');
  t.equal(seen.length, 2, 'the list says what was fetched, or what comes next');
  off();
  await client.delete(resources.nodes, { name: 'n' });
  await until(() => source.current() === undefined);
  t.equal(seen.length, 2);
  t.strictSame([...new Set(selectors())], ['metadata.name=n']);
  await source.stop();
});
