import t from 'tap';
import { manifestSize } from '../../../src/mirror/manifest.js';
import { makeManifestList, makeTinyImage } from '../../fixtures/registry-image.js';

const neverAsked = async (): Promise<Buffer | undefined> => {
  throw new Error('no other manifest was to be asked for');
};

t.test('what a pull would bring in', async (t) => {
  const image = await makeTinyImage('x');
  const size = image.config.bytes.length + image.layer.bytes.length;
  t.same(await manifestSize(image.manifest.bytes, 'amd64', neverAsked), { ok: true, sizeBytes: size });

  const list = makeManifestList([
    { architecture: 'arm64', image: await makeTinyImage('other') },
    { architecture: 'amd64', image },
  ]);
  const asked: string[] = [];
  const child = async (digest: string) => {
    asked.push(digest);
    return digest === image.manifest.digest ? image.manifest.bytes : undefined;
  };
  t.same(await manifestSize(list.bytes, 'amd64', child), { ok: true, sizeBytes: size });
  t.same(asked, [image.manifest.digest]);
  t.same(await manifestSize(list.bytes, undefined, neverAsked), { ok: true, sizeBytes: undefined });
  t.match(await manifestSize(list.bytes, 's390x', neverAsked), {
    ok: false,
    kind: 'platform',
    reason: 'it has nothing for linux/s390x, only linux/arm64, linux/amd64',
  });
});

t.test('what no size can be told of', async (t) => {
  const schema1 = Buffer.from(JSON.stringify({ schemaVersion: 1, fsLayers: [{ blobSum: 'sha256:0' }] }));
  t.same(await manifestSize(schema1, 'amd64', neverAsked), { ok: true, sizeBytes: undefined });
  t.match(await manifestSize(Buffer.from('<html>'), 'amd64', neverAsked), { ok: false, kind: 'notRegistry' });
  const unlabelled = Buffer.from(JSON.stringify({ manifests: [{ digest: 'sha256:0' }] }));
  t.same(await manifestSize(unlabelled, 'amd64', neverAsked), { ok: true, sizeBytes: undefined });
});
