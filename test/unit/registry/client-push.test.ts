import { Readable } from 'node:stream';
import t from 'tap';
import { digestOf } from '../../../src/registry/digest-of.js';
import type { BlobUpload } from '../../../src/registry/types.js';
import { makeTinyImage, manifestType } from '../../fixtures/registry-image.js';
import { failureOf, makeClients, startRegistryFor } from './test-clients.js';

const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 11) % 253));
const digest = digestOf(bytes);
const part = (from: number, to = bytes.length) => Readable.from([bytes.subarray(from, to)]);

async function begin(client: { startUpload(path: string): Promise<BlobUpload | 'mounted'> }): Promise<BlobUpload> {
  const upload = await client.startUpload('a/b');
  if (upload === 'mounted') throw new Error('mounted');
  return upload;
}

for (const relativeLocations of [false, true]) {
  t.test(`an upload in chunks, its locations ${relativeLocations ? 'relative' : 'whole'}`, async (t) => {
    const registry = await startRegistryFor(t, { relativeLocations });
    const client = makeClients(t).clientFor(registry.host);
    const upload = await begin(client);
    t.equal(upload.offset, 0);
    await upload.append(part(0, 1000), 1000);
    t.equal(upload.offset, 1000);
    await upload.append(part(1000), bytes.length - 1000);
    await upload.finish(digest);
    t.strictSame(registry.blobs.get(digest), bytes);
    t.match(registry.log.find(({ method }) => method === 'PATCH')?.headers, {
      'content-range': '0-999',
      'content-length': '1000',
    });
  });
}

t.test('an upload that another client goes on with', async (t) => {
  const registry = await startRegistryFor(t);
  const first = await begin(makeClients(t).clientFor(registry.host));
  await first.append(part(0, 5000), 5000);
  const client = makeClients(t).clientFor(registry.host);
  const second = await client.resumeUpload(first.location);
  t.equal(second?.offset, 5000);
  await second?.append(part(5000), bytes.length - 5000);
  await second?.finish(digest);
  t.ok(registry.blobs.has(digest));
  t.equal(await client.resumeUpload(first.location), undefined, 'the session has ended');
  t.equal(await client.resumeUpload('http://other.example/v2/a/b/blobs/uploads/1'), undefined, "not this registry's");
  t.equal(await client.resumeUpload('nonsense'), undefined);
});

t.test('an upload that is cut off', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t).clientFor(registry.host));
  await upload.append(part(0, 1000), 1000);
  registry.fault = ({ method }) => (method === 'PATCH' ? { kind: 'reset' } : undefined);
  t.match(await failureOf(upload.append(part(1000), bytes.length - 1000)), {
    code: 'RegistryFailed',
    message: new RegExp(`^send bytes 1000 to 200000 of an upload to ${registry.host}/a/b: `),
    details: { kind: 'broken' },
  });
  registry.fault = undefined;
  t.equal(upload.offset, 1000, 'what the registry says it has');
  await upload.append(part(1000), bytes.length - 1000);
  await upload.finish(digest);
  t.ok(registry.blobs.has(digest));
});

t.test('a finish that brings the rest, once', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t, { retries: 1, random: () => 0 }).clientFor(registry.host));
  await upload.append(part(0, 1000), 1000);
  registry.fault = ({ method }) => (method === 'PUT' ? { kind: 'reset' } : undefined);
  t.match(await failureOf(upload.finish(digest, { rest: bytes.subarray(1000) })), { code: 'RegistryFailed' });
  t.equal(registry.log.filter(({ method }) => method === 'PUT').length, 1, 'some of it may be there');
  registry.fault = ({ method, count }) =>
    method === 'PUT' && count === 2 ? { kind: 'status', status: 429, headers: { 'retry-after': '0' } } : undefined;
  await upload.finish(digest, { rest: bytes.subarray(1000) });
  t.strictSame(registry.blobs.get(digest), bytes);
});

t.test('a source that fails in the middle', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t).clientFor(registry.host));
  const source = Readable.from(
    (async function* () {
      yield bytes.subarray(0, 10);
      throw new Error('disk');
    })(),
  );
  t.match(await failureOf(upload.append(source, 1000)), { code: 'RegistryFailed', message: /disk/ });
  t.ok(source.destroyed);
});

t.test('a digest that the content is not of', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t).clientFor(registry.host));
  await upload.append(part(0, 1000), 1000);
  t.match(await failureOf(upload.finish(digest)), {
    code: 'DigestMismatch',
    message: /provided digest did not match/,
    details: { kind: 'digest', status: 400 },
  });
  await upload.cancel();
  t.equal(registry.uploads.size, 0);
  await upload.cancel();
});

t.test('a finish whose answer is lost', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t, { retries: 1, random: () => 0 }).clientFor(registry.host));
  await upload.append(part(0), bytes.length);
  registry.fault = ({ method, count }) =>
    method === 'PUT' && count === 1 ? { kind: 'headers', headers: { 'content-length': '9' } } : undefined;
  await upload.finish(digest);
  t.ok(registry.blobs.has(digest));
});

t.test('mounts', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  t.equal(await client.startUpload('c/d', { from: 'a/b', digest }), 'mounted');
  t.match(await client.startUpload('c/d', { from: 'a/b', digest: digestOf(Buffer.from('x')) }), { offset: 0 });
  const never = await startRegistryFor(t, { withoutMounts: true });
  never.addBlob(bytes);
  t.match(await makeClients(t).clientFor(never.host).startUpload('c/d', { from: 'a/b', digest }), { offset: 0 });
});

t.test('manifests', async (t) => {
  const image = await makeTinyImage('pushed');
  const registry = await startRegistryFor(t);
  const client = makeClients(t).clientFor(registry.host);
  const manifest = { mediaType: manifestType, digest: image.manifest.digest, bytes: image.manifest.bytes };
  await client.putManifest('a/b', 'v1', manifest);
  t.strictSame(registry.manifests.get('a/b:v1'), { type: manifestType, bytes: image.manifest.bytes });
  registry.fault = () => ({ kind: 'headers', headers: { 'docker-content-digest': digest } });
  t.match(await failureOf(client.putManifest('a/b', 'v1', manifest)), { code: 'DigestMismatch' });
});
