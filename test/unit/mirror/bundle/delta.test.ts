import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { formatBundleManifest } from '../../../../src/mirror/bundle/bundle-format.js';
import { readDeltaBase, splitDelta } from '../../../../src/mirror/bundle/delta.js';
import { formatLock } from '../../../../src/mirror/lock/lock-format.js';
import { builtContents, twoImages, writtenBundle } from '../../../builders/bundle.js';

const platform = { os: 'linux', architecture: 'amd64' };
const built = twoImages();
const contents = builtContents(built);
const layers = new Set(built.flatMap(({ image }) => image.layers.map(({ digest }) => digest)));
const lock = formatLock({
  version: 1,
  images: Object.fromEntries(
    built.map(({ image }) => [
      image.reference,
      {
        digest: image.manifest.digest,
        mediaType: image.manifest.mediaType,
        platforms: {
          'linux/amd64': {
            manifest: image.manifest.digest,
            config: image.config.digest,
            size: 1,
            layers: image.layers.map(({ digest }) => digest),
          },
        },
        source: 'engine',
        at: '2021-01-13T13:20:00.000Z',
      },
    ]),
  ),
});

t.test('what a delta leaves out: the layers of', async (t) => {
  const dir = t.testdir({ 'hyperup.lock': lock, 'bundle.json': formatBundleManifest(contents.manifest) });
  await writtenBundle(join(dir, 'old.tar'), contents);
  await writtenBundle(join(dir, 'split.tar'), contents, 4096);
  for (const name of ['hyperup.lock', 'bundle.json', 'old.tar', 'split.tar', 'split.tar.chunks.json']) {
    const base = await readDeltaBase(join(dir, name), name, platform);
    t.same([...base.layers].sort(), [...layers].sort(), name);
  }
});

t.test('manifests and configs are never left out', async (t) => {
  const { blobs } = contents.manifest;
  const base = { name: 'b', digest: 'd', layers: new Set(blobs.map(({ digest }) => digest)) };
  const { kept, left } = splitDelta(blobs, layers, base);
  t.same(new Set(left.map(({ digest }) => digest)), layers);
  t.equal(kept.length + left.length, blobs.length);
  t.same(splitDelta(blobs, layers, undefined), { kept: blobs, left: [] }, 'without a base everything stays');
});

t.test('refuses what is no base', async (t) => {
  const dir = t.testdir({ text: 'hello', empty: '', json: '{"a":1}' });
  for (const name of ['text', 'empty', 'json']) {
    await t.rejects(readDeltaBase(join(dir, name), name, platform), { code: 'InvalidConfig' }, name);
  }
  await t.rejects(readDeltaBase(join(dir, 'none'), 'none', platform), { code: 'NotFound' });
  const path = join(dir, 'lock');
  await writeFile(path, lock);
  const arm = { os: 'linux', architecture: 'arm64' };
  await t.rejects(readDeltaBase(path, 'lock', arm), { message: /no layers for linux\/arm64/ });
  await writeFile(path, formatBundleManifest(contents.manifest));
  await t.rejects(readDeltaBase(path, 'b', arm), { message: /for linux\/amd64, want linux\/arm64/ });
});
