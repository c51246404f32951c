import { mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { openOciLayoutReader } from '../../../../src/mirror/content/oci-layout-reader.js';
import { openOciLayoutWriter } from '../../../../src/mirror/content/oci-layout-writer.js';
import { digestOf, makeImage, makeScene, putImage, readAll, type Scene, streamOf } from './content-scene.js';

const blobAt = (scene: Scene, digest: string) => scene.at(`layout/blobs/sha256/${digest.slice(7)}`);
const one = makeImage(['one', 'shared'], { oci: true });
const two = makeImage(['two', 'shared'], { oci: true });

async function layoutOf(scene: Scene, images: Readonly<Record<string, typeof one>>): Promise<string> {
  for (const [name, image] of Object.entries(images)) {
    const writer = await openOciLayoutWriter(scene.at('layout'), scene.deps);
    await putImage(writer, image, name);
    await writer.commit();
  }
  return scene.at('layout');
}

t.test('images that are written are read, beside those that are there', async (t) => {
  const scene = await makeScene(t);
  const path = await layoutOf(scene, { one, 'example.com/two:1': two });
  const index = join(path, 'index.json');
  const known = JSON.parse(await readFile(index, 'utf8')) as { manifests: object[] };
  await writeFile(index, JSON.stringify({ ...known, vendor: 'kept' }));
  await layoutOf(scene, { one: two });
  t.match(JSON.parse(await readFile(index, 'utf8')), { vendor: 'kept', manifests: { length: 2 } });

  for (const [name, image] of [
    ['one', two],
    ['example.com/two:1', two],
  ] as const) {
    const reader = await openOciLayoutReader(path, name);
    t.strictSame(await reader.getManifest(), image.manifest, name);
    for (const blob of [image.config, ...image.layers]) {
      t.strictSame(await readAll(reader, blob), image.blobs.get(blob.digest));
      t.equal(await reader.blobPath?.(blob.digest), blobAt(scene, blob.digest));
    }
  }
  t.strictSame(await scene.list('layout'), ['blobs', 'index.json', 'oci-layout'], 'nothing of the work is left');
  await t.rejects(openOciLayoutReader(path, 'three'), { code: 'NotFound', message: /"one"/ });
  const reader = await openOciLayoutReader(path, undefined);
  t.strictSame(await reader.getManifest(), two.manifest, 'two names of one image are one image');
});

t.test('two that write at once both get their names in', async (t) => {
  const scene = await makeScene(t);
  await Promise.all([layoutOf(scene, { one }), layoutOf(scene, { two })]);
  const path = scene.at('layout');
  t.strictSame(await (await openOciLayoutReader(path, 'one')).getManifest(), one.manifest);
  t.strictSame(await (await openOciLayoutReader(path, 'two')).getManifest(), two.manifest);
});

t.test('a lock that a process left behind is taken over, one of a living process is not', async (t) => {
  const scene = await makeScene(t);
  await layoutOf(scene, { one });
  const lock = scene.at('layout/.hyperup/lock');
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  for (const [name, held] of [
    ['another boot', `${process.pid} another-boot x\n`],
    // Above the kernel's largest process id.
    ['a process that has ended', `4194305 ${boot} x\n`],
  ] as const) {
    await mkdir(dirname(lock), { recursive: true });
    await writeFile(lock, held);
    const image = `two-${name.length}`;
    await layoutOf(scene, { [image]: two });
    t.strictSame(await (await openOciLayoutReader(scene.at('layout'), image)).getManifest(), two.manifest, name);
  }
  await mkdir(dirname(lock), { recursive: true });
  await writeFile(lock, `${process.pid} ${boot} x\n`);
  let now = 0;
  const sleep = async (ms: number) => {
    now += ms;
  };
  const clock = { now: () => now, monotonicMs: () => now, sleep };
  const writer = await openOciLayoutWriter(scene.at('layout'), { clock });
  await putImage(writer, two, 'late');
  await t.rejects(writer.commit(), { code: 'Locked', hint: /remove .*lock/ });
  await writer.abort();
  await t.rejects(openOciLayoutReader(scene.at('layout'), 'late'), { code: 'NotFound' });
});

t.test('wrong blobs are never kept', async (t) => {
  const scene = await makeScene(t);
  const writer = await openOciLayoutWriter(scene.at('layout'), scene.deps);
  const bytes = Buffer.from('content');
  const blob = { mediaType: 'x', digest: digestOf(bytes), size: bytes.length };
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['another byte', Buffer.from('cantent'), /digest sha256:.*want sha256:/],
    ['too short', Buffer.from('conten'), /6 bytes .*want 7/],
    ['too long', Buffer.from('contents'), /more than 7 bytes/],
  ];
  for (const [name, wrong, message] of cases) {
    await t.rejects(writer.putBlob(blob, streamOf(wrong)), { code: 'DigestMismatch', message }, name);
    t.equal(await writer.hasBlob(blob), false, name);
  }
  const broken = streamOf(bytes);
  broken.destroy(new Error('cut'));
  await t.rejects(writer.putBlob(blob, broken), /cut/);
  await t.rejects(writer.putBlob(blob, streamOf(bytes), AbortSignal.abort()), { code: 'Aborted' });
  await t.rejects(writer.putBlob({ ...blob, digest: 'sha256:../../x' }, streamOf(bytes)), { code: 'InvalidConfig' });
  t.strictSame(await scene.list('layout/blobs/sha256'), []);
  t.match(await scene.list('layout/.hyperup'), [/^in-use-/]);

  await writeFile(blobAt(scene, blob.digest), 'damaged');
  t.equal(await writer.hasBlob(blob), false, 'one of the right size whose bytes are wrong');
  await writer.putBlob(blob, streamOf(bytes));
  t.equal(await writer.hasBlob(blob), true, 'is replaced');
  await t.rejects(writer.putManifest(one.manifest, 'one'), { code: 'NotFound', message: /blob sha256:.* is missing/ });
  await writer.abort();
  t.strictSame(await scene.list('layout'), ['blobs'], 'an image that was given up leaves right blobs alone');
});

t.test('what was staged is adopted, or kept for a later run', async (t) => {
  const scene = await makeScene(t);
  const [layer] = one.layers;
  if (!layer) throw new Error('no layer');
  const bytes = one.blobs.get(layer.digest) ?? Buffer.alloc(0);
  const first = await openOciLayoutWriter(scene.at('layout'), scene.deps);
  const staged = first.stagingPath?.(layer) ?? '';
  await writeFile(`${staged}.part`, bytes.subarray(0, 10));
  await first.abort();

  const old = scene.at('layout/.hyperup/sha256-old.part');
  await writeFile(old, 'x');
  await utimes(old, 0, 0);
  const second = await openOciLayoutWriter(scene.at('layout'), scene.deps);
  t.equal(second.stagingPath?.(layer), staged);
  t.strictSame(await readFile(`${staged}.part`), bytes.subarray(0, 10), 'still there');
  await writeFile(staged, bytes.subarray(1));
  await t.rejects(Promise.resolve(second.adoptBlob?.(layer)), { code: 'DigestMismatch' });
  await writeFile(staged, bytes);
  await second.adoptBlob?.(layer);
  await putImage(second, one, 'one');
  await second.commit();
  t.strictSame(await scene.list('layout'), ['blobs', 'index.json', 'oci-layout'], 'notes and old leftovers are gone');
});

t.test('layouts that could mean harm', async (t) => {
  const manifest = blobOf(one.manifest.digest);
  const layer = blobOf(one.layers[0]?.digest ?? '');
  function blobOf(digest: string): string {
    return `blobs/sha256/${digest.slice(7)}`;
  }
  const cases: readonly (readonly [string, string, string | Buffer | undefined, RegExp, string])[] = [
    ['no layout', 'oci-layout', undefined, /no "oci-layout"/, 'InvalidConfig'],
    ['a later layout', 'oci-layout', '{"imageLayoutVersion":"2.0.0"}', /version "2.0.0"/, 'InvalidConfig'],
    ['no index', 'index.json', undefined, /no "index.json"/, 'InvalidConfig'],
    ['an index that is text', 'index.json', 'hello', /not JSON/, 'InvalidConfig'],
    ['an index of another shape', 'index.json', '{"manifests":[{}]}', /at manifests\.0/, 'InvalidConfig'],
    ['an index that is huge', 'index.json', Buffer.alloc(17 * 2 ** 20, 0x20), /want at most/, 'InvalidConfig'],
    [
      'a digest that is a path',
      'index.json',
      '{"manifests":[{"mediaType":"x","size":1,"digest":"../../x"}]}',
      /not a digest/,
      'InvalidConfig',
    ],
    ['no image', 'index.json', '{"manifests":[]}', /no image/, 'NotFound'],
    ['no manifest', manifest, undefined, /is missing/, 'NotFound'],
    ['a manifest that lies', manifest, '{}', /want sha256:/, 'DigestMismatch'],
    ['a manifest that is huge', manifest, Buffer.alloc(5 * 2 ** 20), /want at most/, 'InvalidConfig'],
    ['no layer', layer, undefined, /is missing/, 'NotFound'],
    ['a layer of another size', layer, 'x', /1 bytes, want/, 'DigestMismatch'],
    ['a layer that is a link', layer, 'link', /symbolic link/, 'InvalidConfig'],
  ];
  for (const [name, file, bytes, message, code] of cases) {
    const scene = await makeScene(t);
    const path = await layoutOf(scene, { one });
    await rm(join(path, file));
    if (bytes === 'link') await symlink('/etc/passwd', join(path, file));
    else if (bytes !== undefined) await writeFile(join(path, file), bytes);
    const reading = async () => {
      const reader = await openOciLayoutReader(path, 'one');
      await reader.getManifest();
      for (const blob of one.layers) await readAll(reader, blob);
    };
    await t.rejects(reading(), { code, message }, name);
  }
  const scene = await makeScene(t);
  await t.rejects(openOciLayoutReader(scene.at('none'), undefined), { code: 'NotFound', message: /no such folder/ });
});

t.test('links in the place of folders are not written through', async (t) => {
  for (const name of ['blobs', 'blobs/sha256', '.hyperup']) {
    const scene = await makeScene(t);
    await mkdir(scene.at('outside'));
    await mkdir(dirname(scene.at(`layout/${name}`)), { recursive: true });
    await symlink(scene.at('outside'), scene.at(`layout/${name}`));
    await t.rejects(
      openOciLayoutWriter(scene.at('layout'), scene.deps),
      { code: 'InvalidConfig', message: /link/ },
      name,
    );
    t.strictSame(await scene.list('outside'), [], name);
  }
});
