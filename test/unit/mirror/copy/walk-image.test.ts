import t from 'tap';
import { walkImage } from '../../../../src/mirror/copy/walk-image.js';
import { blobOf, fakeReader, imageOf, indexOf, manifestOf } from './copy-fakes.js';

const config = blobOf('{"config":1}', 'application/vnd.oci.image.config.v1+json');
const [base, top, arm] = [blobOf('base'), blobOf('top'), blobOf('arm')];
const amd64 = { manifest: imageOf(config, [base, top, base]), platform: { os: 'linux', architecture: 'amd64' } };
const armV7 = { manifest: imageOf(config, [arm]), platform: { os: 'linux', architecture: 'arm', variant: 'v7' } };
const arm64 = {
  manifest: imageOf(config, [base, arm]),
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
};
const root = indexOf([amd64, armV7, arm64]);
const children = [amd64, armV7, arm64].map(({ manifest }) => manifest);

t.test('all platforms: each manifest and blob once, the root last', async (t) => {
  const tree = await walkImage(fakeReader({ root, children }), 'all');
  t.same(
    tree.manifests.map(({ digest }) => digest),
    [...children, root].map(({ digest }) => digest),
  );
  t.same(
    tree.blobs.map(({ digest }) => digest),
    [config, base, top, arm].map(({ digest }) => digest),
  );
  t.ok(tree.isIndex);
  const outer = indexOf([{ manifest: root }, amd64]);
  const nested = await walkImage(fakeReader({ root: outer, children: [root, ...children] }), 'all');
  t.same(
    nested.manifests.map(({ digest }) => digest),
    [...children, root, outer].map(({ digest }) => digest),
    'what is below two indexes comes once',
  );
});

t.test('one platform', async (t) => {
  const cases = [
    { name: 'amd64', wanted: { os: 'linux', architecture: 'amd64' }, got: amd64 },
    { name: 'any arm', wanted: { os: 'linux', architecture: 'arm' }, got: armV7 },
    { name: 'arm64 is arm64/v8', wanted: { os: 'linux', architecture: 'arm64' }, got: arm64 },
    { name: 'and the other way round', wanted: { os: 'linux', architecture: 'arm64', variant: 'v8' }, got: arm64 },
  ];
  for (const { name, wanted, got } of cases) {
    const tree = await walkImage(fakeReader({ root, children }), wanted);
    t.equal(tree.root.digest, got.manifest.digest, name);
    t.notOk(tree.isIndex);
    t.equal(tree.manifests.length, 1);
  }
  for (const wanted of [
    { os: 'windows', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm', variant: 'v6' },
  ]) {
    await t.rejects(walkImage(fakeReader({ root, children }), wanted), {
      code: 'NotFound',
      message: /it has only linux\/amd64, linux\/arm\/v7, linux\/arm64\/v8/,
    });
  }
  const single = await walkImage(fakeReader({ root: amd64.manifest }), { os: 'linux', architecture: 's390x' });
  t.equal(single.root.digest, amd64.manifest.digest, 'what is no index is taken as it is');
});

t.test('what is refused', async (t) => {
  const list = 'application/vnd.docker.distribution.manifest.list.v2+json';
  const cases = [
    {
      name: 'schema 1',
      root: manifestOf('application/vnd.docker.distribution.manifest.v1+prettyjws', { schemaVersion: 1, fsLayers: [] }),
      says: /schema 1, want schema 2 or OCI/,
    },
    {
      name: 'schema 1 under another type',
      root: manifestOf('application/json', { schemaVersion: 1, name: 'a', fsLayers: [] }),
      says: /schema 1/,
    },
    {
      name: 'both kinds at once',
      root: manifestOf(list, { schemaVersion: 2, manifests: [], layers: [] }),
      says: /both/,
    },
    { name: 'no manifest', root: manifestOf(list, { hello: 1 }), says: /read manifest sha256:/ },
    {
      name: 'sizes that contradict each other',
      root: imageOf(config, [base, { ...base, size: 99 }]),
      says: /has 4 bytes by one manifest, 99 by another|size/,
    },
    {
      name: 'a digest that is a path',
      root: imageOf(config, [{ ...base, digest: 'sha256:../../etc/passwd' }]),
      says: /not a digest/,
    },
  ];
  for (const { name, root, says } of cases) {
    await t.rejects(walkImage(fakeReader({ root }), 'all'), { message: says }, name);
  }
  let deep = amd64.manifest;
  const all = [deep];
  for (let n = 0; n < 6; n += 1) {
    deep = indexOf([{ manifest: deep, platform: amd64.platform }]);
    all.push(deep);
  }
  const bottomless = fakeReader({ root: deep, children: all });
  await t.rejects(walkImage(bottomless, 'all'), { message: /nested deeper than 4/ });
  await t.rejects(walkImage(bottomless, amd64.platform), { message: /nested deeper than 4/ });
});
