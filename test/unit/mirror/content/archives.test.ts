import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { openDockerArchiveReader } from '../../../../src/mirror/content/docker-archive-reader.js';
import { openDockerArchiveWriter } from '../../../../src/mirror/content/docker-archive-writer.js';
import { toDockerSchema2 } from '../../../../src/mirror/content/image-manifest.js';
import { openOciArchiveReader } from '../../../../src/mirror/content/oci-archive-reader.js';
import { openOciArchiveWriter } from '../../../../src/mirror/content/oci-archive-writer.js';
import { digestOf, makeImage, makeScene, putImage, type RawMember, readAll, streamOf, tarOf } from './content-scene.js';

const one = makeImage(['one', 'shared', 'one'], { oci: true });
const two = makeImage(['two', 'shared'], { oci: true });
const docker = makeImage(['one', 'shared', 'one']);

t.test('an OCI archive: read where it lies, the same bytes for the same images', async (t) => {
  const scene = await makeScene(t);
  const written: Buffer[] = [];
  for (const images of [
    [one, two],
    [two, one],
  ]) {
    const writer = await openOciArchiveWriter(scene.at('x.tar'), scene.deps);
    for (const image of images) await putImage(writer, image, image === one ? 'one' : 'two');
    await writer.commit();
    written.push(await readFile(scene.at('x.tar')));
  }
  t.ok(written[0]?.equals(written[1] ?? Buffer.alloc(0)), 'in whatever order they came');
  await writeFile(scene.at('x.tar.gz'), gzipSync(written[0] ?? Buffer.alloc(0)));
  for (const file of ['x.tar', 'x.tar.gz']) {
    for (const [name, image] of [
      ['one', one],
      ['two', two],
    ] as const) {
      const reader = await openOciArchiveReader(scene.at(file), name, scene.deps);
      t.strictSame(await reader.getManifest(), image.manifest, `${file} ${name}`);
      for (const blob of [image.config, ...image.layers]) {
        t.strictSame(await readAll(reader, blob), image.blobs.get(blob.digest));
      }
      await reader.close();
    }
  }
  t.strictSame(await scene.list(), ['x.tar', 'x.tar.gz'], 'nothing of the work is left');
  t.strictSame(await scene.list('tmp'), []);
});

t.test('an OCI archive that is given up leaves the old one, and blobs for the next run', async (t) => {
  const scene = await makeScene(t);
  await writeFile(scene.at('x.tar'), 'old');
  const idle = await openOciArchiveWriter(scene.at('x.tar'), scene.deps);
  await t.rejects(openOciArchiveWriter(scene.at('x.tar'), scene.deps), { code: 'Locked' });
  await idle.abort();
  t.strictSame(await scene.list(), ['x.tar'], 'nothing came, nothing stays');

  const first = await openOciArchiveWriter(scene.at('x.tar'), scene.deps);
  await putImage(first, one, 'one');
  await first.abort();
  t.equal(await readFile(scene.at('x.tar'), 'utf8'), 'old');
  const second = await openOciArchiveWriter(scene.at('x.tar'), scene.deps);
  for (const layer of one.layers) t.equal(await second.hasBlob(layer), true);
  await putImage(second, two, 'two');
  await second.commit();
  t.strictSame(await scene.list(), ['x.tar']);
  const reader = await openOciArchiveReader(scene.at('x.tar'), undefined, scene.deps);
  t.strictSame(await reader.getManifest(), two.manifest, 'only what was named is in it');
  await t.rejects(readAll(reader, one.layers[0] ?? one.config), { code: 'NotFound' });
  await reader.close();
});

t.test('a docker-archive: layers inflated, each once, several images', async (t) => {
  const scene = await makeScene(t);
  const writer = await openDockerArchiveWriter(scene.at('sub/x.tar'), scene.deps);
  await putImage(writer, docker, 'docker.io/library/one:1');
  await writer.putManifest(docker.manifest, 'example.com/one:2');
  await putImage(writer, { ...two, manifest: toDockerSchema2(two.manifest) }, '');
  await writer.commit();
  const plain = makeImage(['one', 'shared', 'one'], { plain: true });
  for (const name of ['one:1', 'example.com/one:2', '@0']) {
    const reader = await openDockerArchiveReader(scene.at('sub/x.tar'), name, scene.deps);
    t.strictSame(await reader.getManifest(), plain.manifest, name);
    for (const blob of [plain.config, ...plain.layers]) {
      t.strictSame(await readAll(reader, blob), plain.blobs.get(blob.digest));
    }
    await reader.close();
  }
  t.strictSame(await scene.list('sub'), ['x.tar']);
  t.strictSame(await scene.list('tmp'), [], 'layers that waited for their turn are gone');
  const layers = (await readFile(scene.at('sub/x.tar'))).toString('latin1').split('.tar\0').length - 1;
  t.equal(layers, 3, 'one, two, shared');
  await t.rejects(openDockerArchiveReader(scene.at('sub/x.tar'), undefined, scene.deps), {
    code: 'NotFound',
    message: /one:1, @1: say which/,
  });
});

t.test('a docker-archive takes no layer that is not the one its config names', async (t) => {
  const scene = await makeScene(t);
  const writer = await openDockerArchiveWriter(scene.at('x.tar'), scene.deps);
  const put = (bytes: Buffer, size = bytes.length, digest = digestOf(bytes)) =>
    writer.putBlob({ mediaType: 'x', digest, size }, streamOf(bytes));
  const zipped = gzipSync(Buffer.alloc(5000, 'x'));
  const flipped = Buffer.from(zipped);
  flipped[20] = (flipped[20] ?? 0) ^ 0xff;
  await t.rejects(put(flipped, flipped.length, digestOf(zipped)), { code: 'DigestMismatch' }, 'damaged on its way');
  await t.rejects(put(flipped), { code: 'InvalidConfig', message: /the layer is damaged/ }, 'damaged from the first');
  await t.rejects(put(zipped.subarray(0, -9)), { code: 'InvalidConfig', message: /the layer is damaged/ }, 'cut off');
  const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]);
  await t.rejects(put(zstd), { code: 'InvalidConfig', message: /compressed by zstd/ });

  const broken = streamOf(zipped);
  broken.destroy(new Error('the source failed'));
  await t.rejects(writer.putBlob({ mediaType: 'x', digest: digestOf(zipped), size: 1 }, broken), /the source failed/);

  const swapped = { ...docker, manifest: toDockerSchema2(makeImage(['shared', 'one', 'one'], { oci: true }).manifest) };
  const lying = Buffer.from(
    swapped.manifest.bytes.toString().replace(/("config": \{[^}]*"digest": )"[^"]*"/, `$1"${docker.config.digest}"`),
  );
  await putImage(writer, docker, 'a/good:1');
  await t.rejects(writer.putManifest({ ...swapped.manifest, bytes: lying }, 'a/b:1'), {
    code: 'DigestMismatch',
    message: /diff id sha256:.*want sha256:/,
  });
  const index = Buffer.from('{"schemaVersion":2,"manifests":[]}');
  await t.rejects(writer.putManifest({ mediaType: 'x', digest: digestOf(index), bytes: index }, 'a:1'), {
    code: 'InvalidConfig',
  });
  await t.rejects(writer.putManifest(two.manifest, 'a:1'), { code: 'NotFound', message: /config .* is missing/ });
  await writer.commit();
  const reader = await openDockerArchiveReader(scene.at('x.tar'), undefined, scene.deps);
  t.equal(
    (await reader.getManifest()).digest,
    makeImage(['one', 'shared', 'one'], { plain: true }).manifest.digest,
    'what came right is there',
  );
  await reader.close();

  const given = await openDockerArchiveWriter(scene.at('y.tar'), scene.deps);
  await putImage(given, docker, 'a/b:1');
  await given.abort();
  t.strictSame(await scene.list(), ['x.tar'], 'nothing of what was given up');
});

t.test('docker-archives of all ages, and some that could mean harm', async (t) => {
  const layer = tarOf([{ path: 'file', body: 'x' }]);
  const config = Buffer.from(
    JSON.stringify({ rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] } }),
  );
  const list = (layers: unknown, tags: unknown = ['a/b:1']) =>
    JSON.stringify([{ Config: 'c.json', RepoTags: tags, Layers: layers }]);
  const both = ['1/layer.tar', '2/layer.tar'];
  const base: readonly RawMember[] = [
    { path: 'c.json', body: config },
    { path: '1/layer.tar', body: layer },
  ];
  const soft: RawMember = { path: '2/layer.tar', flag: '2', link: '../1/layer.tar' };
  const manifest = (text: string): RawMember => ({ path: 'manifest.json', body: text });
  const good: readonly (readonly [string, readonly RawMember[]])[] = [
    ['a layer that links to another', [...base, soft, manifest(list(both))]],
    ['the list first, a hard link', [manifest(list(both)), { ...soft, flag: '1', link: '1/layer.tar' }, ...base]],
    ['no tags, one member twice', [...base, manifest(list(['1/layer.tar', '1/layer.tar'], null))]],
    ['a layer that is gzip', [...base, { path: '2/layer.tar', body: gzipSync(layer) }, manifest(list(both))]],
  ];
  const scene = await makeScene(t);
  for (const [name, members] of good) {
    await writeFile(scene.at('x.tar'), tarOf(members));
    const reader = await openDockerArchiveReader(scene.at('x.tar'), undefined, scene.deps);
    const { layers } = JSON.parse((await reader.getManifest()).bytes.toString()) as typeof docker;
    const read = await Promise.all(layers.map((blob) => readAll(reader, blob)));
    t.strictSame(
      read.map(digestOf),
      layers.map((blob) => blob.digest),
      name,
    );
    await reader.close();
  }
  const wrong = gzipSync(Buffer.from('another'));
  const bad: readonly (readonly [string, readonly RawMember[], string, RegExp])[] = [
    ['an OCI layout', [{ path: 'oci-layout', body: '{}' }], 'InvalidConfig', /no member "manifest.json"/],
    ['a list that is text', [...base, manifest('x')], 'InvalidConfig', /"manifest.json": it is not JSON/],
    ['a list of another shape', [...base, manifest('[{"Config":1}]')], 'InvalidConfig', /at 0\.Config/],
    ['no images', [...base, manifest('[]')], 'NotFound', /holds no image/],
    ['a layer missing', [...base, manifest(list(both))], 'InvalidConfig', /no member "2\/layer.tar"/],
    ['too few layers', [...base, manifest(list(['1/layer.tar']))], 'InvalidConfig', /1 layers, want 2/],
    ['a layer outside', [...base, manifest(list(['1/layer.tar', '../../etc/passwd']))], 'InvalidConfig', /no member/],
    ['a link outside', [...base, { ...soft, link: '../../x' }, manifest(list(both))], 'InvalidConfig', /leads out/],
    [
      'a layer that lies',
      [...base, { path: '2/layer.tar', body: wrong }, manifest(list(both))],
      'DigestMismatch',
      /"2\/layer.tar": got diff id/,
    ],
    [
      'a config that is huge',
      [{ path: 'c.json', body: Buffer.alloc(9 * 2 ** 20) }, manifest(list(both))],
      'InvalidConfig',
      /want at most/,
    ],
  ];
  for (const [name, members, code, message] of bad) {
    await writeFile(scene.at('x.tar'), tarOf(members));
    await t.rejects(openDockerArchiveReader(scene.at('x.tar'), undefined, scene.deps), { code, message }, name);
  }
  for (const [name, bytes, message] of [
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), /compressed by zstd/],
    ['damaged gzip', gzipSync(tarOf(base)).subarray(0, -20), /damaged or cut off/],
  ] as const) {
    await writeFile(scene.at('x.tar'), bytes);
    await t.rejects(
      openDockerArchiveReader(scene.at('x.tar'), undefined, scene.deps),
      { code: 'InvalidConfig', message },
      name,
    );
  }
  await mkdir(scene.at('folder'));
  await t.rejects(openDockerArchiveReader(scene.at('folder'), undefined, scene.deps), { code: 'InvalidConfig' });
  await t.rejects(openDockerArchiveReader(scene.at('none'), undefined, scene.deps), { code: 'NotFound' });
  t.strictSame(await scene.list('tmp'), []);
});
