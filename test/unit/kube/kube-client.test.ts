import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { isExpired, isUnreachable, reasonOf } from '../../../src/kube/api-errors.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import type { KubeClientOptions } from '../../../src/kube/kube-client-types.js';
import type { V1Pod } from '../../../src/kube/pod-objects.js';
import { resources } from '../../../src/kube/resource-ref.js';
import {
  type FakeApiServer,
  sendJson,
  sendStatus,
  startFakeApiServer,
  statusBody,
} from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

const certificates = await makeFakeCertificates();
const { pods, nodes } = resources;

function optionsFor(server: FakeApiServer, changes: Partial<KubeClientOptions> = {}): KubeClientOptions {
  return {
    server: server.url,
    caPem: certificates.authority.certPem,
    clientCertPem: certificates.client.certPem,
    clientKeyPem: certificates.client.keyPem,
    timeoutMs: 10_000,
    ...changes,
  };
}

async function scene(t: Test, changes: Partial<KubeClientOptions> = {}) {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient(optionsFor(server, changes));
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  return { server, client };
}

const web: V1Pod = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: { containers: [{ name: 'app', image: 'app:1' }] },
};
const key = { name: 'web', namespace: 'shop' };

t.test('an object from creation to deletion', async (t) => {
  const { server, client } = await scene(t);
  const made = await client.create(pods, web);
  t.equal(made.kind, 'Pod', 'kind and apiVersion are filled in');
  t.equal(made.apiVersion, 'v1');
  t.equal((await client.get(pods, key)).metadata?.uid, made.metadata?.uid);
  const patched = await client.patch(pods, key, { type: 'merge', body: { metadata: { labels: { tier: 'front' } } } });
  t.strictSame(patched.metadata?.labels, { tier: 'front' });
  await t.rejects(client.update(pods, made), { code: 'Conflict', details: { reason: 'Conflict', httpStatus: 409 } });
  const status = { ...patched, status: { phase: 'Running' as const } };
  t.equal((await client.update(pods, status, { subresource: 'status' })).status?.phase, 'Running');
  await t.rejects(client.create(pods, web), { code: 'AlreadyExists' });
  t.equal(await client.delete(pods, key, { gracePeriodSeconds: 0, propagationPolicy: 'Background', uid: 'u1' }), true);
  t.equal(await client.delete(pods, key), false, 'gone already');
  t.equal(await client.find(pods, key), undefined);
  await t.rejects(client.get(pods, key), { code: 'NotFound', message: 'get Pod shop/web: web not found' });
  const remove = server.requests.find(({ method }) => method === 'DELETE');
  t.strictSame(remove?.body, {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Background',
    preconditions: { uid: 'u1' },
  });
  t.ok(
    server.requests.every(({ user }) => user === 'tester'),
    'the client certificate was shown',
  );
});

t.test('each call is sent as the API wants it', async (t) => {
  const { server, client } = await scene(t);
  server.store.put(
    { collection: '/api/v1/pods', namespace: 'shop', name: 'web', subresource: undefined },
    web as never,
  );
  for (const path of ['eviction', 'log']) {
    server.on(`POST /api/v1/namespaces/shop/pods/web/${path}`, (_, response) => sendJson(response, 201, {}));
  }
  server.on('GET /api/v1/namespaces/shop/pods/web/log', (_, response) => response.end('one\ntwo\n'));
  server.on('POST /api/v1/namespaces/shop/serviceaccounts/bot/token', (_, response) =>
    sendJson(response, 201, { status: { token: 'abc', expirationTimestamp: '2026-01-01T00:00:00Z' } }),
  );
  await client.patch(pods, key, { type: 'strategic', body: {} }, { fieldManager: 'me', subresource: 'status' });
  server.on('PATCH /api/v1/namespaces/shop/pods/web', (_, response) => sendJson(response, 200, {}), 1);
  await client.patch(pods, key, { type: 'json', body: [{ op: 'test', path: '/metadata/name', value: 'web' }] });
  await client.apply(pods, web, { fieldManager: 'hyperup', force: true });
  await client.apply(resources.clusterRoles, { metadata: { name: 'a:b/c' } }, { fieldManager: 'hyperup' });
  await client.evict(key, { gracePeriodSeconds: 5 });
  t.equal(await client.readLog(key, { container: 'app', tailLines: 10, previous: true }), 'one\ntwo\n');
  const token = await client.createToken(
    { name: 'bot', namespace: 'shop' },
    { audiences: ['x'], expirationSeconds: 600 },
  );
  t.equal(token.token, 'abc');
  await client.list(pods, {
    labelSelector: 'a=b,c',
    fieldSelector: 'spec.nodeName=n1',
    limit: 7,
    resourceVersion: '0',
  });
  await client.list(nodes);
  const seen = server.requests.map(({ method, path, query, headers, body }) => [
    `${method} ${path}${query.size > 0 ? `?${query}` : ''}`,
    headers['content-type'] ?? '-',
    body,
  ]);
  const pod = { apiVersion: 'v1', kind: 'Pod', ...web };
  t.strictSame(seen, [
    ['PATCH /api/v1/namespaces/shop/pods/web/status?fieldManager=me', 'application/strategic-merge-patch+json', {}],
    [
      'PATCH /api/v1/namespaces/shop/pods/web',
      'application/json-patch+json',
      [{ op: 'test', path: '/metadata/name', value: 'web' }],
    ],
    ['PATCH /api/v1/namespaces/shop/pods/web?fieldManager=hyperup&force=true', 'application/apply-patch+yaml', pod],
    [
      'PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab%2Fc?fieldManager=hyperup&force=false',
      'application/apply-patch+yaml',
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'a:b/c' } },
    ],
    [
      'POST /api/v1/namespaces/shop/pods/web/eviction',
      'application/json',
      {
        apiVersion: 'policy/v1beta1',
        kind: 'Eviction',
        metadata: { name: 'web', namespace: 'shop' },
        deleteOptions: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 5 },
      },
    ],
    ['GET /api/v1/namespaces/shop/pods/web/log?container=app&previous=true&tailLines=10', '-', undefined],
    [
      'POST /api/v1/namespaces/shop/serviceaccounts/bot/token',
      'application/json',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: ['x'], expirationSeconds: 600 },
      },
    ],
    [
      'GET /api/v1/pods?labelSelector=a%3Db%2Cc&fieldSelector=spec.nodeName%3Dn1&limit=7&resourceVersion=0',
      '-',
      undefined,
    ],
    ['GET /api/v1/nodes', '-', undefined],
  ]);
});

t.test('all pages', async (t) => {
  const { server, client } = await scene(t);
  for (let i = 0; i < 5; i += 1) await client.create(nodes, { metadata: { name: `n${i}` } });
  const list = await client.listAll(nodes, { limit: 2, resourceVersion: '0' });
  t.strictSame(
    list.items.map(({ metadata }) => metadata?.name),
    ['n0', 'n1', 'n2', 'n3', 'n4'],
  );
  const lists = server.requests.filter(({ method }) => method === 'GET').map(({ query }) => query.toString());
  t.strictSame(lists, ['limit=2&resourceVersion=0', 'limit=2&continue=2', 'limit=2&continue=4']);
  t.strictSame((await client.listAll(pods)).items, [], "Go's null is an empty list");
  server.on(
    'GET /api/v1/nodes',
    ({ query }, response) => {
      if (query.has('continue')) sendStatus(response, 410, 'Expired', 'the continue token is too old');
      else sendJson(response, 200, { metadata: { continue: query.has('limit') ? 'old' : '' }, items: [{}, {}, {}] });
    },
    3,
  );
  t.equal((await client.listAll(nodes)).items.length, 3, 'a token that expired midway: listed in one piece');
});

t.test('a Status becomes our own error', async (t) => {
  const { server, client } = await scene(t);
  const cases: [httpStatus: number, body: unknown, code: string, reason: string][] = [
    [404, statusBody(404, 'NotFound', 'no'), 'NotFound', 'NotFound'],
    [404, '404 page not found', 'NotFound', 'NotFound'],
    [409, statusBody(409, 'AlreadyExists', 'no'), 'AlreadyExists', 'AlreadyExists'],
    [409, statusBody(409, 'Conflict', 'no'), 'Conflict', 'Conflict'],
    [401, statusBody(401, 'Unauthorized', 'no'), 'PermissionDenied', 'Unauthorized'],
    [403, statusBody(403, 'Forbidden', 'no'), 'PermissionDenied', 'Forbidden'],
    [410, statusBody(410, 'Expired', 'no'), 'ApiFailed', 'Expired'],
    [422, statusBody(422, 'Invalid', 'no', { causes: [{ field: 'spec.x' }] }), 'ApiFailed', 'Invalid'],
    [504, statusBody(504, 'Timeout', 'no'), 'Timeout', 'Timeout'],
    [500, statusBody(500, 'ServerTimeout', 'no', { retryAfterSeconds: 3 }), 'Timeout', 'ServerTimeout'],
    [429, statusBody(429, 'TooManyRequests', 'no'), 'ApiFailed', 'TooManyRequests'],
    [502, '<html>Bad Gateway</html>', 'ApiFailed', 'Unknown'],
    [503, '', 'ApiFailed', 'ServiceUnavailable'],
    [307, '', 'ApiFailed', 'Unknown'],
  ];
  for (const [httpStatus, body, code, reason] of cases) {
    server.on('GET /api/v1/nodes/n1', (_, response) => {
      response.writeHead(httpStatus).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const error: unknown = await client.get(nodes, { name: 'n1' }).catch((caught: unknown) => caught);
    t.match(error, { code, message: /^get Node n1: /, details: { reason, httpStatus } }, `${httpStatus} ${reason}`);
    t.equal(isExpired(error), httpStatus === 410);
    if (reason === 'Invalid') t.match(error, { details: { causes: [{ field: 'spec.x' }] } });
    if (reason === 'ServerTimeout') t.match(error, { details: { retryAfterSeconds: 3 } });
  }
  server.on('GET /api/v1/nodes/n1', (_, response) => response.end('not JSON'));
  await t.rejects(client.get(nodes, { name: 'n1' }), { code: 'ApiFailed', message: /got "not JSON", want JSON/ });
});

t.test('a server that asks for patience is asked again, after as long as it says', async (t) => {
  const clock = makeManualClock();
  const { server, client } = await scene(t, { clock });
  server.on('GET /api/v1/nodes/n1', (_, response) => response.writeHead(429, { 'retry-after': '2' }).end(), 2);
  server.store.put({ collection: '/api/v1/nodes', namespace: undefined, name: 'n1', subresource: undefined }, {
    metadata: { name: 'n1' },
  } as never);
  const answer = client.get(nodes, { name: 'n1' });
  for (let n = 1; n <= 2; n += 1) {
    await clock.slept(n);
    clock.advance(2000);
  }
  t.equal((await answer).metadata?.name, 'n1');
  t.strictSame(clock.sleeps, [2000, 2000]);
  server.on('POST /api/v1/namespaces/shop/pods/web/eviction', (_, response) => {
    response.writeHead(429, { 'retry-after': '2' }).end(JSON.stringify(statusBody(429, 'TooManyRequests', 'budget')));
  });
  await t.rejects(client.evict(key), { code: 'ApiFailed', message: /budget/ }, 'but a disruption budget is an answer');
  t.equal(clock.sleeps.length, 2);
});

t.test('credentials', async (t) => {
  let turn = 0;
  const token = async () => `t${++turn}`;
  const { server, client } = await scene(t, { token, clientCertPem: undefined, clientKeyPem: undefined });
  await client.list(nodes);
  await client.list(nodes);
  t.strictSame(
    server.requests.map(({ headers }) => headers.authorization),
    ['Bearer t1', 'Bearer t2'],
    'asked anew for each call',
  );
  t.equal(server.requests[0]?.user, undefined);
  const fixed = createKubeClient(optionsFor(server, { token: 'fixed' }));
  await fixed.list(nodes);
  await fixed.close();
  t.equal(server.requests.at(-1)?.headers.authorization, 'Bearer fixed');
});

t.test('whom not to trust', async (t) => {
  const stranger = await makeFakeCertificates();
  const server = await startFakeApiServer({ certificates });
  const locked = await startFakeApiServer({ certificates, requireClientCertificate: true });
  const plain = createServer((_, response) => response.end());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const plainUrl = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
  t.teardown(() => Promise.all([server.close(), locked.close(), plain.close()]));
  const cases: { name: string; options: KubeClientOptions; reason: string | undefined }[] = [
    {
      name: 'a server of another authority',
      options: optionsFor(server, { caPem: stranger.authority.certPem }),
      reason: 'CertificateRejected',
    },
    {
      name: 'a server with another name',
      options: optionsFor(server, { serverName: 'elsewhere.example' }),
      reason: 'CertificateRejected',
    },
    {
      name: 'a server that wants a certificate',
      options: optionsFor(locked, { clientCertPem: undefined, clientKeyPem: undefined }),
      reason: undefined,
    },
    {
      name: "a server that doesn't know our authority",
      options: optionsFor(locked, { clientCertPem: stranger.client.certPem, clientKeyPem: stranger.client.keyPem }),
      reason: undefined,
    },
    { name: 'a server without TLS', options: optionsFor(server, { server: plainUrl }), reason: 'TlsFailed' },
  ];
  for (const { name, options, reason } of cases) {
    const client = createKubeClient(options);
    const error: unknown = await client.list(nodes).catch((caught: unknown) => caught);
    t.match(error, { code: 'ApiFailed', message: /^list nodes at https:/ }, name);
    if (reason) t.equal(reasonOf(error), reason, name);
    await client.close();
  }
  const named = createKubeClient(optionsFor(server, { serverName: 'kubernetes' }));
  t.ok(await named.list(nodes), 'a name that the certificate has');
  await named.close();
});

t.test('nobody there', async (t) => {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient(optionsFor(server));
  await client.list(nodes);
  await server.close();
  const error: unknown = await client.list(nodes).catch((caught: unknown) => caught);
  t.match(error, { code: 'ApiFailed', details: { reason: 'Unreachable', errno: 'ECONNREFUSED' } });
  t.ok(isUnreachable(error));
  const again = await startFakeApiServer({ certificates, port: server.port });
  t.ok(await client.list(nodes), 'and back again: the same client goes on');
  await client.close();
  await again.close();
});

t.test('a kept connection that broke: reading is tried again, writing is not', async (t) => {
  const { server, client } = await scene(t);
  server.on('GET /api/v1/nodes', (_, response) => response.socket?.destroy(), 1);
  server.on('POST /api/v1/nodes', (_, response) => response.socket?.destroy(), 1);
  t.ok(await client.list(nodes));
  await t.rejects(client.create(nodes, { metadata: { name: 'n1' } }), {
    code: 'ApiFailed',
    message: /^create Node n1 at /,
  });
  t.strictSame(
    server.requests.map(({ method }) => method),
    ['GET', 'GET', 'POST'],
  );
});

t.test('time limits and interruption', async (t) => {
  const { server, client } = await scene(t);
  server.on('GET /api/v1/nodes', () => {});
  await t.rejects(client.list(nodes, { timeoutMs: 30 }), {
    code: 'Timeout',
    message: 'list nodes: no answer after 0.03 s',
  });
  server.on('GET /api/v1/nodes', (_, response) => response.writeHead(200).write('{'));
  await t.rejects(client.list(nodes, { timeoutMs: 30 }), { code: 'Timeout' }, 'an answer that stops midway');
  const controller = new AbortController();
  const call = client.list(nodes, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(call, { code: 'Aborted', message: 'list nodes: interrupted', cause: { message: 'enough' } });
  await t.rejects(client.list(nodes, { signal: AbortSignal.abort() }), { code: 'Aborted' }, 'fired before');
  const open = t.rejects(client.list(nodes), { code: 'Aborted', message: /the client was closed/ });
  await client.close();
  await open;
  await t.rejects(client.list(nodes), { code: 'Aborted' }, 'and stays closed');
});

t.test('any path', async (t) => {
  const { server, client } = await scene(t);
  server.on('GET /readyz', (_, response) => response.writeHead(500).end('[-]etcd failed'));
  t.match(await client.raw('/readyz?verbose'), { statusCode: 500, text: '[-]etcd failed' });
  t.equal(server.requests[0]?.query.has('verbose'), true);
  server.on('GET /version', (_, response) => sendJson(response, 200, { gitVersion: 'v1.20.2' }));
  t.equal((await client.version()).gitVersion, 'v1.20.2');
  const behindProxy = createKubeClient(optionsFor(server, { server: `${server.url}/clusters/one/` }));
  server.on('GET /clusters/one/version', (_, response) => sendJson(response, 200, { gitVersion: 'v1.19.0' }));
  t.equal((await behindProxy.version()).gitVersion, 'v1.19.0');
  await behindProxy.close();
});

t.test('connections are kept, and calls never wait behind watches', async (t) => {
  const { server, client } = await scene(t);
  const ports = new Set<number | undefined>();
  server.on('GET /api/v1/nodes/n1', (_, response) => {
    ports.add(response.socket?.remotePort);
    sendJson(response, 200, {});
  });
  for (let i = 0; i < 10; i += 1) await client.get(nodes, { name: 'n1' });
  t.ok(ports.size <= 2, 'ten calls in a row take no ten connections');
  await Promise.all(Array.from({ length: 100 }, () => client.get(nodes, { name: 'n1' })));
  t.ok(ports.size <= 16, 'nor do a hundred at once');
  const controller = new AbortController();
  const watches = Array.from({ length: 40 }, () => client.watch(pods, { signal: controller.signal }).next());
  while (server.openWatches() < 40) await new Promise((resolve) => setImmediate(resolve));
  t.ok(await client.get(nodes, { name: 'n1' }));
  controller.abort();
  for (const watch of watches) await t.rejects(watch, { code: 'Aborted' });
});

t.test('certificates that are none are refused before anything is connected, and not quoted', async (t) => {
  const server = await startFakeApiServer({ certificates });
  t.teardown(() => server.close());
  const stranger = await makeFakeCertificates();
  const cases: [name: string, changes: Partial<KubeClientOptions>][] = [
    ['client certificate', { clientCertPem: 'garbage' }],
    ['client key', { clientKeyPem: '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----' }],
    ["another's key", { clientKeyPem: stranger.client.keyPem }],
  ];
  for (const [name, changes] of cases) {
    t.throws(
      () => createKubeClient(optionsFor(server, changes)),
      { code: 'InvalidConfig', message: /^(?!.*(c2V|garbage))/ },
      name,
    );
  }
});
