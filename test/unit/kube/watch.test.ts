import t, { type Test } from 'tap';
import { isExpired, isUnreachable } from '../../../src/kube/api-errors.js';
import { splitLines } from '../../../src/kube/json-lines.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { type FakeApiServer, startFakeApiServer, statusBody } from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';

const certificates = await makeFakeCertificates();
const { nodes } = resources;
const watchPath = 'GET /api/v1/nodes';

async function scene(t: Test) {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient({ server: server.url, caPem: certificates.authority.certPem, timeoutMs: 10_000 });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  return { server, client };
}

async function collect<T>(source: AsyncIterable<T>): Promise<{ items: T[]; error: unknown }> {
  const items: T[] = [];
  try {
    for await (const item of source) items.push(item);
    return { items, error: undefined };
  } catch (error) {
    return { items, error };
  }
}

function respondWith(server: FakeApiServer, chunks: readonly (string | Buffer)[]): void {
  server.on(watchPath, (_, response) => {
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
}

t.test('lines are whole however the bytes arrive', async (t) => {
  const text = '{"a":"日本語 🎉"}\n\n{"b":1}\nrest';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const chunks = (async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })();
    t.strictSame(
      (await collect(splitLines(chunks))).items,
      [
        { text: '{"a":"日本語 🎉"}', ended: true },
        { text: '', ended: true },
        { text: '{"b":1}', ended: true },
        { text: 'rest', ended: false },
      ],
      `${size} bytes at a time`,
    );
  }
});

t.test('changes arrive in order, from the version asked for', async (t) => {
  const { server, client } = await scene(t);
  await client.create(nodes, { metadata: { name: 'before' } });
  const from = String(server.store.version);
  await client.create(nodes, { metadata: { name: 'n1' } });
  const seen: string[] = [];
  for await (const { type, object } of client.watch(nodes, { resourceVersion: from })) {
    seen.push(`${type} ${object.metadata?.name}`);
    if (type === 'ADDED') await client.patch(nodes, { name: 'n1' }, { type: 'merge', body: { spec: {} } });
    if (type === 'MODIFIED') await client.delete(nodes, { name: 'n1' });
    if (type === 'DELETED') break;
  }
  t.strictSame(seen, ['ADDED n1', 'MODIFIED n1', 'DELETED n1']);
  const watch = server.requests.find(({ query }) => query.has('watch'));
  t.equal(watch?.query.get('allowWatchBookmarks'), 'true');
  t.equal(watch?.query.get('timeoutSeconds'), '300');
  while (server.openWatches() > 0) await new Promise((resolve) => setImmediate(resolve));
  t.pass('leaving the loop ends the watch on the server too');
});

t.test('how a watch can end', async (t) => {
  const event = '{"type":"ADDED","object":{"metadata":{"name":"n1"}}}\n';
  const bookmark = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n';
  const gone = `${JSON.stringify({ type: 'ERROR', object: statusBody(410, 'Expired', 'too old') })}\n`;
  const broken = `${JSON.stringify({ type: 'ERROR', object: statusBody(500, 'InternalError', 'boom') })}\n`;
  const cases: {
    name: string;
    chunks: string[];
    events: number;
    error?: object;
    expired?: boolean;
    unreachable?: boolean;
  }[] = [
    { name: 'its time is over', chunks: [event, bookmark], events: 2 },
    { name: 'at once', chunks: [], events: 0 },
    {
      name: 'the version is gone',
      chunks: [event, gone],
      events: 1,
      error: { code: 'ApiFailed', message: 'watch nodes: too old', details: { reason: 'Expired', httpStatus: 410 } },
      expired: true,
    },
    {
      name: 'any other error',
      chunks: [broken],
      events: 0,
      error: { code: 'ApiFailed', message: 'watch nodes: boom' },
    },
    {
      name: 'cut short inside an event',
      chunks: [event, event.slice(0, 20)],
      events: 1,
      error: { code: 'ApiFailed', message: /ended inside an event/ },
      unreachable: true,
    },
    { name: 'no JSON', chunks: ['<html>\n'], events: 0, error: { code: 'ApiFailed', message: /got "<html>"/ } },
    {
      name: 'no event',
      chunks: ['{}\n'],
      events: 0,
      error: { code: 'ApiFailed', message: /got "{}", want a watch event/ },
    },
  ];
  for (const { name, chunks, events, error, expired = false, unreachable = false } of cases) {
    const { server, client } = await scene(t);
    respondWith(server, chunks);
    const result = await collect(client.watch(nodes));
    t.equal(result.items.length, events, `${name}: events`);
    if (error) t.match(result.error, error, name);
    else t.equal(result.error, undefined, name);
    t.equal(isExpired(result.error), expired, `${name}: expired`);
    t.equal(isUnreachable(result.error), unreachable, `${name}: unreachable`);
  }
});

t.test('the server refuses, breaks off, is silent', async (t) => {
  const { server, client } = await scene(t);
  server.on(
    watchPath,
    (_, response) => response.writeHead(403).end(JSON.stringify(statusBody(403, 'Forbidden', 'no'))),
    1,
  );
  await t.rejects(client.watch(nodes).next(), { code: 'PermissionDenied' });
  const watch = client.watch(nodes, { resourceVersion: '0' });
  await client.create(nodes, { metadata: { name: 'n1' } });
  t.equal((await watch.next()).value?.object.metadata?.name, 'n1');
  const next = watch.next().catch((error: unknown) => error);
  server.dropConnections();
  t.ok(isUnreachable(await next), 'a reset connection');
  const controller = new AbortController();
  const silent = client.watch(nodes, { signal: controller.signal });
  const pending = silent.next();
  while (server.openWatches() === 0) await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await t.rejects(pending, { code: 'Aborted', message: 'watch nodes: interrupted' });
  t.strictSame(await silent.next(), { done: true, value: undefined });
});

t.test('a log that goes on', async (t) => {
  const { server, client } = await scene(t);
  const pod = { name: 'web', namespace: 'shop' };
  server.on('GET /api/v1/namespaces/shop/pods/web/log', ({ query }, response) => {
    t.equal(query.get('follow'), 'true');
    response.write('one\ntw');
    response.write('o\n');
    response.end('no newline');
  });
  t.strictSame(await collect(client.followLog(pod)), { items: ['one', 'two', 'no newline'], error: undefined });
});
