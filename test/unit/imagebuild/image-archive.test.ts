import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { extract } from 'tar-stream';
import {
  type ArchiveImage,
  digestFile,
  imageConfig,
  writeImageArchive,
} from '../../../src/imagebuild/image-archive.js';

const dir = await mkdtemp(join(tmpdir(), 'image-archive-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));

async function makeImage(over: Partial<ArchiveImage> = {}): Promise<ArchiveImage> {
  const path = join(dir, 'layer.tar');
  await writeFile(path, 'the layer');
  return {
    reference: 'test.hyperup.invalid/a:1',
    architecture: 'amd64',
    created: '2021-01-13T13:20:00Z',
    layers: [{ path, diffId: await digestFile(path), createdBy: 'test' }],
    env: { PATH: '/bin' },
    entrypoint: ['/pause'],
    command: [],
    labels: { a: 'b' },
    ...over,
  };
}

async function entriesOf(image: ArchiveImage): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const unpack = extract();
  const done = (async () => {
    for await (const entry of unpack) found.set(entry.header.name, await text(entry));
  })();
  writeImageArchive(image).pipe(unpack);
  await done;
  return found;
}

t.test('the digest is that of the content', async (t) => {
  const want = `sha256:${createHash('sha256').update('the layer').digest('hex')}`;
  t.equal((await makeImage()).layers[0]?.diffId, want);
});

t.test('an archive names its configuration by its digest, its layers and its tag', async (t) => {
  const image = await makeImage();
  const entries = await entriesOf(image);
  const config = imageConfig(image);
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  t.equal(entries.get(configName), config);
  const layerName = `${image.layers[0]?.diffId.slice(7)}/layer.tar`;
  t.equal(entries.get(layerName), 'the layer');
  t.strictSame(JSON.parse(entries.get('manifest.json') ?? ''), [
    { Config: configName, RepoTags: [image.reference], Layers: [layerName] },
  ]);
});

t.test('the configuration', async (t) => {
  const config = JSON.parse(imageConfig(await makeImage()));
  t.match(config, { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' }, config: { Env: ['PATH=/bin'] } });
  t.strictSame(config.config.Entrypoint, ['/pause']);
  t.notOk('Cmd' in config.config, 'an empty command is left out');
  t.equal(imageConfig(await makeImage()), imageConfig(await makeImage()), 'the same input gives the same id');
  t.not(imageConfig(await makeImage({ labels: { a: 'c' } })), imageConfig(await makeImage()));
});

t.test('a layer that cannot be read fails the stream', async (t) => {
  const image = await makeImage();
  const layers = [{ path: join(dir, 'absent.tar'), diffId: 'sha256:0', createdBy: 'test' }];
  await t.rejects(text(writeImageArchive({ ...image, layers })), { code: 'ENOENT' });
});
