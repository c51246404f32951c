import { buffer } from 'node:stream/consumers';
import t from 'tap';
import type { Credentials } from '../../../src/registry/types.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { makeTinyImage } from '../../fixtures/registry-image.js';
import { failureOf, makeClients, startRegistryFor } from './test-clients.js';

const image = await makeTinyImage('behind a login');
const ann: Credentials = { kind: 'basic', username: 'ann', password: 'pa:ss' };
const store = (credentials: Credentials | undefined) => ({ find: async () => credentials });
const tokenRequests = (requests: readonly string[]) => requests.filter((request) => request.includes('/token'));

t.test('a token for anyone, asked for once', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'bearer', lifeSeconds: 300 } });
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t).clientFor(registry.host);
  await client.ping();
  t.equal(registry.tokensGiven, 0, 'a ping needs no login');
  await Promise.all(Array.from({ length: 8 }, () => client.getManifest('a/b', 'v1')));
  t.strictSame(tokenRequests(registry.requests), ['GET /token?service=fake&scope=repository%3Aa%2Fb%3Apull']);
  await (await client.getBlob('a/b', image.layer.digest)).body.resume();
  t.equal(registry.tokensGiven, 1);
});

t.test('another repository, and pushing, want other tokens, at the first try', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'bearer' } });
  registry.addImage('a/b', 'v1', image);
  registry.addImage('c', 'v1', image);
  const client = makeClients(t).clientFor(registry.host, 'http');
  await client.getManifest('a/b', 'v1');
  const before = registry.requests.length;
  await client.getManifest('c', 'v1');
  await client.startUpload('c', { from: 'a/b', digest: image.layer.digest });
  t.strictSame(registry.requests.slice(before), [
    'GET /token?service=fake&scope=repository%3Ac%3Apull',
    'GET /v2/c/manifests/v1',
    'GET /token?service=fake&scope=repository%3Ac%3Apull%2Cpush&scope=repository%3Aa%2Fb%3Apull',
    `POST /v2/c/blobs/uploads/?mount=${encodeURIComponent(image.layer.digest)}&from=a%2Fb`,
  ]);
});

t.test('a token that the registry no longer takes is renewed once', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'bearer', lifeSeconds: 300 } });
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t).clientFor(registry.host);
  await client.getManifest('a/b', 'v1');
  registry.expireTokens();
  const got = await Promise.all(
    [1, 2, 3].map(async () => buffer((await client.getBlob('a/b', image.layer.digest)).body)),
  );
  t.strictSame(got, [image.layer.bytes, image.layer.bytes, image.layer.bytes]);
  t.equal(registry.tokensGiven, 2);
});

t.test('a token past its life is not sent', async (t) => {
  const clock = makeManualClock();
  const registry = await startRegistryFor(t, { auth: { kind: 'bearer' } });
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t, { clock }).clientFor(registry.host);
  await client.getManifest('a/b', 'v1');
  clock.advance(54_000);
  await client.getManifest('a/b', 'v1');
  t.equal(registry.tokensGiven, 1, '60 s where the server does not say');
  clock.advance(2000);
  const before = registry.requests.length;
  await client.getManifest('a/b', 'v1');
  t.equal(registry.tokensGiven, 2);
  t.match(registry.requests[before], /^GET \/token/, 'before the request');
});

t.test('who one is', async (t) => {
  const registry = await startRegistryFor(t, {
    auth: { kind: 'bearer', login: { username: 'ann', password: 'pa:ss' } },
  });
  registry.addImage('a/b', 'v1', image);
  const asAnn = makeClients(t, { credentials: store(ann) }).clientFor(registry.host);
  t.equal((await asAnn.getManifest('a/b', 'v1')).digest, image.manifest.digest);
  t.match(tokenRequests(registry.requests)[0], /account=ann/);
  for (const credentials of [undefined, { ...ann, password: 'SECRET' }] as const) {
    const client = makeClients(t, { credentials: store(credentials) }).clientFor(registry.host);
    const failure = await failureOf(client.getManifest('a/b', 'v1'));
    t.match(failure, {
      code: 'PermissionDenied',
      message: `get a token for ${registry.host} from ${registry.host}: a login is wanted: HTTP 401 (wrong user or password)`,
      details: { kind: 'login', status: 401 },
      hint: `Log in with: docker login ${registry.host}`,
    });
    t.notMatch(`${JSON.stringify(failure)}${failure}`, /SECRET/);
  }
});

t.test('an identity token', async (t) => {
  const registry = await startRegistryFor(t, {
    auth: { kind: 'bearer', refreshToken: 'refresh', login: { username: 'x', password: 'y' } },
  });
  registry.addImage('a/b', 'v1', image);
  const of = (token: string) =>
    makeClients(t, { credentials: store({ kind: 'identityToken', token }) }).clientFor(registry.host);
  t.equal((await of('refresh').getManifest('a/b', 'v1')).digest, image.manifest.digest);
  t.match(await failureOf(of('SECRET').getManifest('a/b', 'v1')), {
    code: 'PermissionDenied',
    message: /wrong refresh token/,
  });
});

t.test('basic', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'basic', username: 'ann', password: 'pa:ss' } });
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t, { credentials: store(ann) }).clientFor(registry.host);
  await client.getManifest('a/b', 'v1');
  const before = registry.requests.length;
  await client.getManifest('a/b', 'v1');
  t.equal(registry.requests.length, before + 1, 'sent at once from then on');
  for (const credentials of [undefined, { ...ann, password: 'no' }]) {
    const other = makeClients(t, { credentials: store(credentials) }).clientFor(registry.host);
    t.match(await failureOf(other.getManifest('a/b', 'v1')), {
      code: 'PermissionDenied',
      message: /a login is wanted: HTTP 401 \(authentication required\)/,
    });
  }
});

t.test('credentials stay with who asked for them', async (t) => {
  const storage = await startRegistryFor(t);
  storage.addImage('a/b', 'v1', image);
  for (const auth of [{ kind: 'bearer' }, { kind: 'basic', username: 'ann', password: 'pa:ss' }] as const) {
    const registry = await startRegistryFor(t, { auth, redirectsBlobsTo: storage.origin });
    const client = makeClients(t, { credentials: store(ann) }).clientFor(registry.host);
    await (await client.getBlob('a/b', image.layer.digest)).body.resume();
    t.match(registry.log.at(-1)?.headers.authorization, /^B/, 'sent to the registry');
  }
  t.equal(storage.log.length, 2);
  for (const { headers } of storage.log) t.equal(headers.authorization, undefined);
});

t.test('a storage host that wants a login does not get ours', async (t) => {
  const storage = await startRegistryFor(t, { auth: { kind: 'basic', username: 'ann', password: 'pa:ss' } });
  const registry = await startRegistryFor(t, { redirectsBlobsTo: storage.origin });
  const client = makeClients(t, { credentials: store(ann) }).clientFor(registry.host);
  t.match(await failureOf(client.getBlob('a/b', image.layer.digest)), {
    code: 'PermissionDenied',
    message: new RegExp(`HTTP 401 at ${storage.host}`),
  });
  for (const { headers } of storage.log) t.equal(headers.authorization, undefined);
});

t.test('a store that can not be read', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'bearer' } });
  const credentials = { find: () => Promise.reject(new Error('bad file')) };
  const client = makeClients(t, { credentials }).clientFor(registry.host);
  t.match(await failureOf(client.getManifest('a/b', 'v1')), { message: 'bad file' });
});

t.test('a token server that fails', async (t) => {
  const tokens = await startRegistryFor(t);
  const auth = { kind: 'bearer', realm: `${tokens.origin}/t` } as const;
  const registry = await startRegistryFor(t, { auth });
  const client = makeClients(t).clientFor(registry.host);
  const cases = [
    [
      { kind: 'page', title: 'Hotel' },
      { code: 'RegistryFailed', details: { kind: 'notRegistry' }, message: /titled "Hotel"/ },
    ],
    [
      { kind: 'status', status: 200 },
      { code: 'PermissionDenied', message: /has no token in it/ },
    ],
    [
      { kind: 'status', status: 429 },
      { code: 'RegistryFailed', details: { kind: 'rateLimited' } },
    ],
    [{ kind: 'reset' }, { code: 'RegistryFailed', details: { kind: 'broken' } }],
  ] as const;
  for (const [fault, want] of cases) {
    tokens.fault = () => fault;
    t.match(await failureOf(client.getManifest('a/b', 'v1')), want, JSON.stringify(fault));
  }
});
