import { once } from 'node:events';
import { createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import type { RegistryFault } from '../../fakes/fake-registry.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { makeTinyImage } from '../../fixtures/registry-image.js';
import { failureOf, makeClients, startRegistryFor } from './test-clients.js';

const image = await makeTinyImage('from a bad network');
const bytes = Buffer.alloc(400_000, 'content ');

interface Case {
  readonly name: string;
  readonly fault: RegistryFault;
  readonly want: object;
}

const manifestFaults: readonly Case[] = [
  {
    name: 'a login page',
    fault: { kind: 'page', title: 'Hotel\n Wi-Fi' },
    want: {
      code: 'RegistryFailed',
      message: /answered with a web page titled "Hotel Wi-Fi", not a registry's answer/,
      details: { kind: 'notRegistry', status: 200 },
    },
  },
  {
    name: 'a flipped byte',
    fault: { kind: 'flip', at: 20 },
    want: {
      code: 'DigestMismatch',
      message: new RegExp(`digest sha256:\\w+, want ${image.manifest.digest} as the registry says`),
      details: { kind: 'digest' },
    },
  },
  {
    name: 'denied',
    fault: { kind: 'status', status: 403 },
    want: { code: 'PermissionDenied', details: { kind: 'login' } },
  },
  {
    name: 'too many requests',
    fault: { kind: 'status', status: 429, headers: { 'retry-after': '30' } },
    want: { code: 'RegistryFailed', details: { kind: 'rateLimited', status: 429, retryAfterMs: 30_000 } },
  },
  {
    name: 'a server error',
    fault: { kind: 'status', status: 502 },
    want: { code: 'RegistryFailed', details: { kind: 'status', status: 502 } },
  },
  {
    name: 'a network that wants a login',
    fault: { kind: 'status', status: 511 },
    want: { details: { kind: 'notRegistry' } },
  },
  {
    name: 'broken off',
    fault: { kind: 'reset' },
    want: { code: 'RegistryFailed', message: /broke the connection off/, details: { kind: 'broken' } },
  },
  {
    name: 'cut in the middle',
    fault: { kind: 'cut', afterBytes: 50 },
    want: { code: 'RegistryFailed', details: { kind: 'broken' } },
  },
  {
    name: 'no answer',
    fault: { kind: 'hang' },
    want: { code: 'Timeout', message: /gave no answer within 0\.6 s/, details: { kind: 'timeout' } },
  },
  {
    name: 'half an answer',
    fault: { kind: 'stall', afterBytes: 50 },
    want: { code: 'Timeout', message: /sent nothing for 0\.3 s/, details: { kind: 'timeout' } },
  },
];

for (const { name, fault, want } of manifestFaults) {
  t.test(`a manifest: ${name}`, async (t) => {
    const registry = await startRegistryFor(t);
    registry.addImage('a/b', 'v1', image);
    registry.fault = ({ url }) => (url.includes('/manifests/') ? fault : undefined);
    const clients = makeClients(t, { connectTimeoutMs: 300, silenceMs: 300 });
    const failure = await failureOf(clients.clientFor(registry.host).getManifest('a/b', 'v1'));
    t.match(failure, want);
    t.match(failure, { details: { host: registry.host }, message: /^get manifest a\/b:v1 from / });
  });
}

t.test('a digest that another content is served under', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addImage('a/b', 'v1', image);
  const digest = `sha256:${'0'.repeat(64)}`;
  registry.manifests.set(`a/b@${digest}`, { type: 'x/y', bytes: image.manifest.bytes });
  const failure = await failureOf(makeClients(t).clientFor(registry.host).getManifest('a/b', digest));
  t.match(failure, { code: 'DigestMismatch', message: `digest ${image.manifest.digest}, want ${digest} as asked for` });
});

t.test("a blob's body", async (t) => {
  const registry = await startRegistryFor(t);
  const digest = registry.addBlob(bytes);
  const client = makeClients(t, { silenceMs: 300 }).clientFor(registry.host);
  const get = async (fault: RegistryFault) => {
    registry.fault = ({ url }) => (url.includes('/blobs/') ? fault : undefined);
    return await buffer((await client.getBlob('a/b', digest)).body);
  };
  t.match(await failureOf(get({ kind: 'cut', afterBytes: 100_000 })), {
    code: 'RegistryFailed',
    message: new RegExp(`^get blob a/b@${digest} from ${registry.host}: `),
    details: { kind: 'broken', host: registry.host },
  });
  t.match(await failureOf(get({ kind: 'stall', afterBytes: 100_000 })), {
    code: 'Timeout',
    message: /sent nothing for 0\.3 s/,
    details: { kind: 'timeout' },
  });
  t.match(await failureOf(get({ kind: 'page', title: 'Pay' })), { details: { kind: 'notRegistry' }, message: /"Pay"/ });
});

t.test('interrupted', async (t) => {
  const registry = await startRegistryFor(t);
  const digest = registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  registry.fault = () => ({ kind: 'hang' });
  const before = new AbortController();
  const hanging = failureOf(client.getManifest('a/b', 'v1', { signal: before.signal }));
  before.abort();
  t.match(await hanging, { code: 'Aborted' });
  t.match(await failureOf(client.ping({ signal: AbortSignal.abort() })), { code: 'Aborted' });

  registry.fault = ({ url }) => (url.includes('/blobs/') ? { kind: 'stall', afterBytes: 1000 } : undefined);
  const during = new AbortController();
  const { body } = await client.getBlob('a/b', digest, undefined, { signal: during.signal });
  const reading = failureOf(buffer(body));
  during.abort();
  t.match(await reading, { code: 'Aborted' });
});

t.test('a body that its reader gives up makes no noise', async (t) => {
  const registry = await startRegistryFor(t);
  const digest = registry.addBlob(bytes);
  const { body } = await makeClients(t).clientFor(registry.host).getBlob('a/b', digest);
  body.on('error', () => t.fail('an error'));
  const closed = once(body, 'close');
  body.destroy();
  await closed;
});

t.test('what may be gone in a moment is tried again', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addImage('a/b', 'v1', image);
  const faults: readonly RegistryFault[] = [
    { kind: 'status', status: 503 },
    { kind: 'reset' },
    { kind: 'status', status: 429, headers: { 'retry-after': '20' } },
  ];
  registry.fault = ({ url, count }) => (url.includes('/manifests/') ? faults[count - 1] : undefined);
  const clock = makeManualClock();
  const client = makeClients(t, { clock, retries: 4, random: () => 0.5 }).clientFor(registry.host);
  const got = client.getManifest('a/b', 'v1');
  for (const [index, want] of [300, 600, 20_200].entries()) {
    await clock.slept(index + 1);
    t.equal(clock.sleeps[index], want);
    clock.advance(want);
  }
  t.equal((await got).digest, image.manifest.digest);
});

t.test('tries are bounded', async (t) => {
  const registry = await startRegistryFor(t);
  const clock = makeManualClock();
  const client = makeClients(t, { clock, retries: 2, random: () => 0 }).clientFor(registry.host, 'http');
  registry.fault = () => ({ kind: 'status', status: 500 });
  const failing = failureOf(client.ping());
  for (const count of [1, 2]) {
    await clock.slept(count);
    clock.advance(60_000);
  }
  t.match(await failing, { details: { kind: 'status', status: 500 } });
  t.equal(registry.requests.length, 3);

  const asked = registry.requests.length;
  registry.fault = () => ({ kind: 'status', status: 429, headers: { 'retry-after': '21600' } });
  t.match(await failureOf(client.ping()), { details: { kind: 'rateLimited' } }, 'six hours are not waited for');
  registry.fault = () => ({ kind: 'status', status: 404 });
  t.match(await failureOf(client.ping()), { details: { kind: 'notRegistry' } });
  t.equal(registry.requests.length, asked + 2, 'nor is what will be the same');
});

t.test('interrupted while it waits', async (t) => {
  const registry = await startRegistryFor(t);
  registry.fault = () => ({ kind: 'status', status: 500 });
  const clock = makeManualClock();
  const stop = new AbortController();
  const client = makeClients(t, { clock, retries: 2 }).clientFor(registry.host, 'http');
  const failing = failureOf(client.ping({ signal: stop.signal }));
  await clock.slept(1);
  stop.abort();
  t.match(await failing, { code: 'Aborted' });
});

t.test('what is left of a rate limit is told', async (t) => {
  const registry = await startRegistryFor(t);
  registry.fault = () => ({
    kind: 'headers',
    headers: { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '7;w=21600' },
  });
  const told: unknown[] = [];
  const clients = makeClients(t, { onRateLimit: (host, limit) => told.push({ host, ...limit }) });
  await clients.clientFor(registry.host, 'http').ping();
  t.strictSame(told, [{ host: registry.host, remaining: 7, limit: 100, windowSeconds: 21_600 }]);
});

t.test('nothing listens there', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  server.close();
  await once(server, 'close');
  const client = makeClients(t).clientFor(host);
  t.match(await failureOf(client.ping()), {
    code: 'RegistryFailed',
    message: `ask ${host}: ${host} refused the connection`,
    details: { kind: 'refused', host },
  });
  const registry = await startRegistryFor(t);
  registry.fault = () => ({ kind: 'redirect', to: `http://${host}/storage` });
  t.match(await failureOf(makeClients(t).clientFor(registry.host, 'http').ping()), {
    message: `ping ${registry.host}: ${registry.host} sends on to ${host}: ${host} refused the connection`,
  });
});

t.test('closed clients', async (t) => {
  const registry = await startRegistryFor(t);
  registry.fault = ({ url }) => (url.includes('/manifests/') ? { kind: 'hang' } : undefined);
  const clients = makeClients(t);
  const client = clients.clientFor(registry.host);
  await client.ping();
  const hanging = failureOf(client.getManifest('a/b', 'v1'));
  t.equal(clients.clientFor(registry.host), client, 'one a host');
  await clients.close();
  t.match(await hanging, { code: 'Aborted', message: /the client is closed/ });
  t.match(await failureOf(client.ping()), { code: 'Aborted' });
});
