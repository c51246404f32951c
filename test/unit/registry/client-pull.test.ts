import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { digestOf } from '../../../src/registry/digest-of.js';
import { makeTinyImage, manifestType } from '../../fixtures/registry-image.js';
import { failureOf, makeClients, startRegistryFor } from './test-clients.js';

const image = await makeTinyImage('pulled');
const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251));

t.test('manifests by tag and digest', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t).clientFor(registry.host);
  await client.ping();
  const want = { mediaType: manifestType, digest: image.manifest.digest, bytes: image.manifest.bytes };
  t.strictSame(await client.getManifest('a/b', 'v1'), want);
  t.strictSame(await client.getManifest('a/b', image.manifest.digest), want);
  const head = { mediaType: manifestType, digest: image.manifest.digest, size: image.manifest.bytes.length };
  t.strictSame(await client.headManifest('a/b', 'v1'), head);
  t.equal(await client.headManifest('a/b', 'v2'), undefined);
  t.match(await failureOf(client.getManifest('a/b', 'v2')), {
    code: 'NotFound',
    message: `get manifest a/b:v2 from ${registry.host}: not there: HTTP 404 (manifest unknown)`,
    details: { kind: 'notFound', status: 404, host: registry.host, said: 'MANIFEST_UNKNOWN' },
  });
});

t.test('a manifest that is looked for where HEAD does not say it all', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addImage('a/b', 'v1', image);
  registry.fault = ({ method }) => (method === 'HEAD' ? { kind: 'status', status: 405 } : undefined);
  const client = makeClients(t).clientFor(registry.host);
  t.match(await client.headManifest('a/b', 'v1'), { digest: image.manifest.digest });
  t.equal(await client.headManifest('a/b', 'v2'), undefined);
});

t.test("a manifest's type where the header is wrong", async (t) => {
  const registry = await startRegistryFor(t);
  const client = makeClients(t).clientFor(registry.host);
  const cases: readonly (readonly [header: string, body: object, want: string])[] = [
    ['application/octet-stream', { mediaType: manifestType }, manifestType],
    ['application/vnd.oci.image.manifest.v1+json', {}, 'application/vnd.oci.image.manifest.v1+json'],
    ['text/plain', { manifests: [] }, 'application/vnd.oci.image.index.v1+json'],
  ];
  for (const [index, [header, body, want]] of cases.entries()) {
    registry.addManifest('a/b', `t${index}`, header, Buffer.from(JSON.stringify(body)));
    t.equal((await client.getManifest('a/b', `t${index}`)).mediaType, want, header);
  }
});

t.test('blobs and ranges of them', async (t) => {
  const registry = await startRegistryFor(t);
  const digest = registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  const get = async (range?: { start: number; length?: number }) => {
    const { body, ...rest } = await client.getBlob('a/b', digest, range);
    return { ...rest, bytes: await buffer(body) };
  };
  const whole = { totalSize: bytes.length, servedBy: registry.host };
  t.strictSame(await get(), { ...whole, start: 0, bytes });
  t.strictSame(await get({ start: 100_000 }), { ...whole, start: 100_000, bytes: bytes.subarray(100_000) });
  t.strictSame(await get({ start: 5, length: 7 }), { ...whole, start: 5, bytes: bytes.subarray(5, 12) });
  t.strictSame(await get({ start: 299_999, length: 50 }), { ...whole, start: 299_999, bytes: bytes.subarray(299_999) });
  t.match(await failureOf(get({ start: 300_000 })), {
    code: 'RegistryFailed',
    details: { kind: 'status', status: 416 },
  });
  t.strictSame(await client.headBlob('a/b', digest), { size: bytes.length });
  t.equal(await client.headBlob('a/b', digestOf(Buffer.from('other'))), undefined);
});

t.test('a registry that ignores ranges', async (t) => {
  const registry = await startRegistryFor(t, { ignoresRanges: true });
  const digest = registry.addBlob(bytes);
  const { start, body } = await makeClients(t).clientFor(registry.host).getBlob('a/b', digest, { start: 9, length: 9 });
  t.equal(start, 0);
  t.strictSame(await buffer(body), bytes);
});

t.test('a range that is not the one asked for', async (t) => {
  const registry = await startRegistryFor(t);
  const digest = registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  for (const [header, says] of [
    ['bytes 0-9/300000', /bytes from 0 on, want 10/],
    ['bytes 10-29/300000', /bytes to 29, want at most 19/],
    ['bytes 10-18/300000', /10 bytes for 10-18/],
    ['bytes ?', /without a Content-Range/],
  ] as const) {
    registry.fault = () => ({ kind: 'headers', headers: { 'content-range': header } });
    t.match(await failureOf(client.getBlob('a/b', digest, { start: 10, length: 10 })), {
      code: 'RegistryFailed',
      message: says,
      details: { kind: 'broken' },
    });
  }
});

t.test('blobs that are had elsewhere', async (t) => {
  const storage = await startRegistryFor(t);
  const digest = storage.addBlob(bytes);
  const registry = await startRegistryFor(t, { redirectsBlobsTo: storage.origin });
  const client = makeClients(t).clientFor(registry.host);
  const { body, servedBy, start } = await client.getBlob('a/b', digest, { start: 1000 });
  t.strictSame(await buffer(body), bytes.subarray(1000));
  t.strictSame({ servedBy, start }, { servedBy: storage.host, start: 1000 });
  t.strictSame(await client.headBlob('a/b', digest), { size: bytes.length });
  storage.fault = ({ method }) => (method === 'HEAD' ? { kind: 'status', status: 403 } : undefined);
  t.strictSame(await client.headBlob('a/b', digest), { size: bytes.length }, 'signed for GET alone');
});

t.test('one after another over the same connections', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addImage('a/b', 'v1', image);
  const client = makeClients(t).clientFor(registry.host);
  const { digest } = image.layer;
  await client.headManifest('a/b', 'v1');
  await client.getManifest('a/b', 'v1');
  await client.headBlob('a/b', digest);
  await failureOf(client.getManifest('a/b', 'v2'));
  await buffer((await client.getBlob('a/b', digest)).body);
  await client.startUpload('a/b');
  await client.putManifest('a/b', 'v3', { mediaType: manifestType, digest: '', bytes: image.manifest.bytes });
  await client.listTags('a/b');
  registry.fault = ({ url, count }) => (count === 1 ? { kind: 'redirect', to: url } : undefined);
  await client.getManifest('a/b', 'v3');
  // undici's pool holds the first one busy for a moment longer than it is.
  t.ok(registry.connections <= 2, `${registry.connections} connections`);
});

t.test('redirects without end, and to no URL', async (t) => {
  const registry = await startRegistryFor(t);
  const client = makeClients(t).clientFor(registry.host, 'http');
  registry.fault = ({ url }) => ({ kind: 'redirect', to: url });
  t.match(await failureOf(client.ping()), {
    message: /redirects more than 10 times/,
    details: { kind: 'notRegistry' },
  });
  t.equal(registry.requests.length, 11);
  registry.fault = () => ({ kind: 'redirect', to: 'ftp://x/' });
  t.match(await failureOf(client.ping()), { message: /redirects to "ftp:\/\/x\/", want a URL/ });
});

t.test('tags in pages', async (t) => {
  const registry = await startRegistryFor(t, { pageSize: 2 });
  for (const tag of ['a', 'b', 'c', 'd', 'e']) registry.addManifest('a/b', tag, manifestType, image.manifest.bytes);
  const client = makeClients(t).clientFor(registry.host);
  t.strictSame(await client.listTags('a/b'), ['a', 'b', 'c', 'd', 'e']);
  registry.fault = () => ({ kind: 'status', status: 200 });
  t.match(await failureOf(client.listTags('a/b')), { code: 'RegistryFailed' }, 'no list of tags');
});

t.test('referrers by the API and by the tag', async (t) => {
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const signature = Buffer.from(
    JSON.stringify({ mediaType: type, subject: { digest: image.manifest.digest }, artifactType: 'x/sig' }),
  );
  const want = [{ mediaType: type, digest: digestOf(signature), size: signature.length, artifactType: 'x/sig' }];

  const modern = await startRegistryFor(t);
  modern.addManifest('a/b', 's', type, signature);
  const clients = makeClients(t);
  t.strictSame(await clients.clientFor(modern.host).listReferrers('a/b', image.manifest.digest), want);
  t.strictSame(await clients.clientFor(modern.host).listReferrers('a/b', digestOf(signature)), []);

  const old = await startRegistryFor(t, { withoutReferrers: true });
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: want }));
  const tag = image.manifest.digest.replace(':', '-');
  old.addManifest('a/b', tag, 'application/vnd.oci.image.index.v1+json', index);
  t.strictSame(await clients.clientFor(old.host).listReferrers('a/b', image.manifest.digest), want);
  t.strictSame(await clients.clientFor(old.host).listReferrers('a/b', digestOf(signature)), []);
});

t.test('names that would lead elsewhere in a URL', async (t) => {
  const client = makeClients(t).clientFor('127.0.0.1:1');
  const digest = image.manifest.digest;
  for (const work of [
    () => client.getManifest('../x', 'v1'),
    () => client.getManifest('a/b', '../x'),
    () => client.getManifest('A', 'v1'),
    () => client.getBlob('a/b', 'sha256:abc'),
    () => client.headBlob('a?b', digest),
    () => client.listTags('a//b'),
    () => client.startUpload('a/b', { from: '/', digest }),
  ]) {
    t.match(await failureOf(work()), { code: 'InvalidConfig', message: /malformed/ });
  }
});
