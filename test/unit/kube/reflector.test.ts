import t, { type Test } from 'tap';
import { createBackoff } from '../../../src/kube/backoff.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import type { V1Node } from '../../../src/kube/node-objects.js';
import { type ReflectorChange, startReflector } from '../../../src/kube/reflector.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { sendStatus, startFakeApiServer } from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

const certificates = await makeFakeCertificates();
const { nodes } = resources;

/** A reflector on a fake server, its changes as text, and a way to await the n-th of them. */
async function scene(t: Test, options: { onChange?: (change: ReflectorChange<V1Node>) => void } = {}) {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient({ server: server.url, caPem: certificates.authority.certPem, timeoutMs: 10_000 });
  const clock = makeManualClock();
  const seen: string[] = [];
  const waiting = new Set<() => void>();
  const start = () =>
    startReflector({
      client,
      clock,
      resource: nodes,
      random: () => 0,
      onChange(change) {
        const name = (node: V1Node) => node.metadata?.name ?? '?';
        seen.push(
          change.type === 'replaced' ? `= ${change.objects.map(name).join()}` : `${change.type} ${name(change.object)}`,
        );
        for (const wake of waiting) wake();
        options.onChange?.(change);
      },
    });
  const until = async (count: number) => {
    while (seen.length < count) await new Promise<void>((resolve) => waiting.add(resolve));
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const watching = async (count = 1) => {
    while (server.openWatches() !== count) await turn();
  };
  const lists = () => server.requests.filter(({ method, query }) => method === 'GET' && !query.has('watch')).length;
  const watchVersions = () =>
    server.requests.filter(({ query }) => query.has('watch')).map(({ query }) => query.get('resourceVersion'));
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  return { server, client, clock, seen, start, until, watching, lists, watchVersions };
}

t.test('lists, then follows', async (t) => {
  const { server, client, seen, start, until, lists } = await scene(t);
  await client.create(nodes, { metadata: { name: 'a' } });
  const reflector = start();
  await reflector.synced;
  t.strictSame(seen, ['= a']);
  await client.create(nodes, { metadata: { name: 'b' } });
  await client.patch(nodes, { name: 'a' }, { type: 'merge', body: { spec: {} } });
  await client.delete(nodes, { name: 'b' });
  await until(4);
  t.strictSame(seen, ['= a', 'added b', 'modified a', 'deleted b']);
  t.equal(lists(), 1);
  t.equal(server.requests.find(({ method }) => method === 'GET')?.query.get('resourceVersion'), '0');
  await reflector.stop();
  await client.create(nodes, { metadata: { name: 'c' } });
  t.equal(seen.length, 4, 'nothing after stop');
});

t.test('a watch whose time is over goes on where it was, bookmarks included', async (t) => {
  const { server, client, clock, seen, start, until, watching, watchVersions, lists } = await scene(t);
  const reflector = start();
  await reflector.synced;
  await watching();
  clock.advance(300_000);
  server.endWatches();
  while (watchVersions().length < 2) await new Promise((resolve) => setImmediate(resolve));
  await client.create(nodes, { metadata: { name: 'a' } });
  await until(2);
  t.strictSame(seen, ['= ', 'added a']);
  server.on(
    'GET /api/v1/nodes',
    (_, response) => {
      response.end('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"4711"}}}\n');
    },
    1,
  );
  server.endWatches();
  while (watchVersions().length < 4) await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(watchVersions(), ['100', '100', '101', '4711']);
  t.equal(lists(), 1);
  t.strictSame(clock.sleeps, [], 'without a pause');
  await reflector.stop();
});

t.test('a broken connection: back-off, then on from the same version', async (t) => {
  const { server, client, clock, seen, start, until, watching, lists } = await scene(t);
  const reflector = start();
  await reflector.synced;
  await watching();
  await client.create(nodes, { metadata: { name: 'a' } });
  await until(2);
  server.dropConnections();
  await clock.slept(1);
  await client.create(nodes, { metadata: { name: 'b' } });
  t.strictSame(clock.sleeps, [800]);
  clock.advance(800);
  await until(3);
  t.strictSame(seen, ['= ', 'added a', 'added b'], 'nothing was missed');
  t.equal(lists(), 1, 'nothing was listed again');
  await reflector.stop();
});

t.test('a version that is gone: lists again at once, past the cache', async (t) => {
  const { server, client, clock, seen, start, until, watching } = await scene(t);
  const reflector = start();
  await reflector.synced;
  await watching();
  server.dropConnections();
  await clock.slept(1);
  await client.create(nodes, { metadata: { name: 'a' } });
  server.store.compactedBefore = server.store.version;
  clock.advance(800);
  await until(2);
  t.strictSame(seen, ['= ', '= a']);
  const lists = server.requests.filter(({ method, query }) => method === 'GET' && !query.has('watch'));
  t.strictSame(
    lists.map(({ query }) => query.get('resourceVersion')),
    ['0', null],
  );
  await reflector.stop();
});

t.test('a version that is gone again and again: with back-off', async (t) => {
  const { server, clock, seen, start } = await scene(t);
  server.store.compactedBefore = 1000;
  const reflector = start();
  const waits: number[] = [];
  for (let n = 1; n <= 4; n += 1) {
    await clock.slept(n);
    waits.push(clock.sleeps[n - 1] ?? -1);
    clock.advance(60_000);
  }
  t.strictSame(waits, [0, 800, 1600, 3200]);
  t.ok(seen.length >= 4);
  await reflector.stop();
});

t.test('a server that refuses is asked less and less often, and forgiven when it answers', async (t) => {
  const { server, clock, start, watching } = await scene(t);
  server.on('GET /api/v1/nodes', (_, response) => sendStatus(response, 403, 'Forbidden', 'no'), 8);
  const reflector = start();
  for (let n = 1; n <= 8; n += 1) {
    await clock.slept(n);
    clock.advance(clock.sleeps[n - 1] ?? 0);
  }
  await reflector.synced;
  t.strictSame(clock.sleeps, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  await watching();
  await reflector.stop();
});

t.test('watches that end as soon as they begin are not opened in a loop', async (t) => {
  const { server, clock, start, watching } = await scene(t);
  const reflector = start();
  await reflector.synced;
  await watching();
  server.endWatches();
  await clock.slept(1);
  t.strictSame(clock.sleeps, [800]);
  await reflector.stop();
});

t.test('a handler that throws does not stop the reflector', async (t) => {
  const { client, seen, start, until } = await scene(t, {
    onChange() {
      throw new Error('mine');
    },
  });
  const reflector = start();
  await reflector.synced;
  await client.create(nodes, { metadata: { name: 'a' } });
  await until(2);
  t.strictSame(seen, ['= ', 'added a']);
  await reflector.stop();
});

t.test('stop while it waits', async (t) => {
  const { server, clock, start } = await scene(t);
  await server.close();
  const reflector = start();
  await clock.slept(1);
  await reflector.stop();
  t.equal(clock.sleeps.length, 1);
});

t.test('back-off', async (t) => {
  const even = createBackoff({ initialMs: 100, maxMs: 500, random: () => 0 });
  t.strictSame([even.nextMs(), even.nextMs(), even.nextMs(), even.nextMs()], [100, 200, 400, 500]);
  even.reset();
  t.equal(even.nextMs(), 100);
  const spread = createBackoff({ initialMs: 100, maxMs: 500, random: () => 0.5 });
  t.strictSame([spread.nextMs(), spread.nextMs()], [150, 300]);
});
