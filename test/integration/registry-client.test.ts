import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import t from 'tap';
import { createRegistryClients } from '../../src/registry/clients.js';
import { digestOf } from '../../src/registry/digest-of.js';
import type { BlobUpload } from '../../src/registry/types.js';
import { startRegistry } from '../fixtures/registry.js';
import { makeTinyImage, manifestType } from '../fixtures/registry-image.js';

const registry = await startRegistry();
const settings = {
  proxies: { httpProxy: 'http://127.0.0.1:1', httpsProxy: 'http://127.0.0.1:1', noProxy: '' },
  extraCas: [],
  isInsecure: () => false,
  credentials: { find: async () => undefined },
  connectTimeoutMs: 5000,
  silenceMs: 10_000,
};
const clients = createRegistryClients(settings);
const client = clients.clientFor(registry.host);
t.teardown(async () => {
  await clients.close();
  await registry.stop();
});

const bytes = randomBytes(12_000_000);
const digest = digestOf(bytes);
const part = (from: number, to = bytes.length) => Readable.from([bytes.subarray(from, to)]);

async function begin(path: string): Promise<BlobUpload> {
  const upload = await client.startUpload(path);
  if (upload === 'mounted') throw new Error('mounted without being asked for');
  return upload;
}

t.test('a blob in chunks, the last ones by another client that knows the location alone', async (t) => {
  const upload = await begin('a/b');
  await upload.append(part(0, 3_000_000), 3_000_000);
  await upload.append(part(3_000_000, 7_000_001), 4_000_001);
  t.equal(upload.offset, 7_000_001);

  const later = createRegistryClients(settings);
  t.teardown(() => later.close());
  const resumed = await later.clientFor(registry.host).resumeUpload(upload.location);
  t.equal(resumed?.offset, 7_000_001);
  await resumed?.append(part(7_000_001), bytes.length - 7_000_001);
  await resumed?.finish(digest);
  t.strictSame(await client.headBlob('a/b', digest), { size: bytes.length });
  t.equal(await client.resumeUpload(upload.location), undefined, 'the session is over');
});

t.test('ranges', async (t) => {
  for (const [start, length] of [
    [0, undefined],
    [0, 1],
    [4_000_000, 1_000_000],
    [11_999_999, undefined],
    [11_999_000, 5000],
  ] as const) {
    const stream = await client.getBlob('a/b', digest, { start, length });
    t.equal(stream.start, start);
    t.equal(stream.totalSize, bytes.length);
    const got = await buffer(stream.body);
    t.ok(got.equals(bytes.subarray(start, length === undefined ? undefined : start + length)), `${start}+${length}`);
  }
  await t.rejects(client.getBlob('a/b', digest, { start: bytes.length }), {
    code: 'RegistryFailed',
    details: { status: 416 },
  });
  const many = await Promise.all(
    Array.from({ length: 12 }, async (_, i) =>
      buffer((await client.getBlob('a/b', digest, { start: i * 1_000_000, length: 1_000_000 })).body),
    ),
  );
  t.equal(digestOf(Buffer.concat(many)), digest, 'twelve at once');
});

t.test('mounts, and what is not there to be mounted', async (t) => {
  t.equal(await client.startUpload('c/d', { from: 'a/b', digest }), 'mounted');
  t.strictSame(await client.headBlob('c/d', digest), { size: bytes.length });
  const other = await client.startUpload('c/d', { from: 'a/b', digest: digestOf(Buffer.from('no')) });
  t.not(other, 'mounted');
  if (other !== 'mounted') await other.cancel();
});

t.test('a wrong digest is refused', async (t) => {
  const upload = await begin('a/b');
  await upload.append(part(0, 1000), 1000);
  await t.rejects(upload.finish(digest), { code: 'DigestMismatch', details: { kind: 'digest' } });
});

t.test('a session that is cancelled', async (t) => {
  const upload = await begin('a/b');
  await upload.append(part(0, 1000), 1000);
  await upload.cancel();
  t.equal(await client.resumeUpload(upload.location), undefined);
});

t.test('an image that skopeo reads', async (t) => {
  const image = await makeTinyImage('pushed by the client');
  for (const blob of [image.config, image.layer]) {
    const upload = await begin('e/f');
    await upload.append(Readable.from([blob.bytes]), blob.bytes.length);
    await upload.finish(blob.digest);
  }
  const manifest = { mediaType: manifestType, digest: image.manifest.digest, bytes: image.manifest.bytes };
  await client.putManifest('e/f', 'v1', manifest);
  await client.putManifest('e/f', 'v2', manifest);
  t.strictSame(await client.getManifest('e/f', 'v1'), manifest);
  t.match(await client.headManifest('e/f', image.manifest.digest), { size: image.manifest.bytes.length });
  t.strictSame([...(await client.listTags('e/f'))].sort(), ['v1', 'v2']);
  t.strictSame(await client.listReferrers('e/f', image.manifest.digest), []);
  const inspect = ['inspect', '--tls-verify=false', `docker://${registry.host}/e/f:v1`];
  const { stdout } = await promisify(execFile)('skopeo', inspect);
  t.match(JSON.parse(stdout), { Digest: image.manifest.digest, Layers: [image.layer.digest] });
});

t.test('a reader slower than the limit on silence', async (t) => {
  const hasty = createRegistryClients({ ...settings, silenceMs: 200 });
  t.teardown(() => hasty.close());
  const { body } = await hasty.clientFor(registry.host).getBlob('a/b', digest);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.equal(digestOf(await buffer(body)), digest);
});

t.test('what is not there', async (t) => {
  t.equal(await client.headManifest('e/f', 'v9'), undefined);
  t.equal(await client.headBlob('no/such', digest), undefined);
  await t.rejects(client.getManifest('no/such', 'v1'), {
    code: 'NotFound',
    details: { kind: 'notFound', status: 404 },
  });
  await t.rejects(client.listTags('no/such'), { code: 'NotFound' });
});
