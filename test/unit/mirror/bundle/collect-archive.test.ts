import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { pack } from 'tar-stream';
import { openStage } from '../../../../src/mirror/bundle/blob-stage.js';
import { collectArchive } from '../../../../src/mirror/bundle/collect-archive.js';

const layer = Buffer.alloc(40_000, 'some layer ');
const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
const config = Buffer.from(
  JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId, diffId] } }),
);

type Entry = readonly [name: string, data: Buffer | { readonly link: string }];

function archive(entries: readonly Entry[]): Readable {
  const tar = pack();
  for (const [name, data] of entries) {
    if (Buffer.isBuffer(data)) tar.entry({ name }, data);
    else tar.entry({ name, type: 'symlink', linkname: data.link });
  }
  tar.finalize();
  return Readable.from(tar);
}

const list = (layers: readonly string[], name = 'c.json') =>
  Buffer.from(JSON.stringify([{ Config: name, RepoTags: ['app:1'], Layers: layers }]));

t.test('as Docker 20 writes it: a link where a layer comes twice', async (t) => {
  const stage = await openStage(join(t.testdir(), 's'));
  const [image] = await collectArchive(
    archive([
      ['a/layer.tar', layer],
      ['a/VERSION', Buffer.from('1.0')],
      ['a/json', Buffer.from('{}')],
      ['b/layer.tar', { link: '../a/layer.tar' }],
      ['c.json', config],
      ['manifest.json', list(['a/layer.tar', 'b/layer.tar'])],
    ]),
    stage,
  );
  t.same(image?.tags, ['app:1']);
  t.same(
    image?.layers.map(({ digest }) => digest),
    [diffId, diffId],
    'plain: the digest is the layer’s own',
  );
  t.ok((await stage.read(diffId)).equals(layer));
  t.ok(
    (await stage.read(image?.config.digest ?? '')).equals(config),
    "the config's bytes stay: they are the image's id",
  );
});

t.test('as Docker 25 writes it: blobs by digest, a config among them', async (t) => {
  const stage = await openStage(join(t.testdir(), 's'));
  const [image] = await collectArchive(
    archive([
      ['blobs/sha256/aa', layer],
      ['blobs/sha256/cc', config],
      ['manifest.json', list(['blobs/sha256/aa', 'blobs/sha256/aa'], 'blobs/sha256/cc')],
    ]),
    stage,
  );
  t.equal(image?.layers.length, 2);
});

t.test('layers that come compressed stay as they are; plain ones are compressed where that is asked', async (t) => {
  const zipped = gzipSync(layer);
  for (const given of [zipped, layer]) {
    const stage = await openStage(join(t.testdir(), 's'));
    const entries: Entry[] = [
      ['a', given],
      ['c.json', config],
      ['manifest.json', list(['a', 'a'])],
    ];
    const [image] = await collectArchive(archive(entries), stage, { gzip: true });
    const found = image?.layers[0];
    t.match(found?.mediaType, /tar\+gzip$/);
    t.equal(found?.diffId, diffId);
    t.ok(gunzipSync(await stage.read(found?.digest ?? '')).equals(layer));
    t.ok((found?.size ?? 0) < layer.length);
  }
});

const bad: readonly (readonly [name: string, entries: readonly Entry[], code: string])[] = [
  ['no list', [['a', layer]], 'EngineFailed'],
  ['a list that is none', [['manifest.json', Buffer.from('{"a":1}')]], 'EngineFailed'],
  [
    'a layer that is not there',
    [
      ['c.json', config],
      ['manifest.json', list(['a', 'a'])],
    ],
    'EngineFailed',
  ],
  [
    'a config that is not there',
    [
      ['a', layer],
      ['manifest.json', list(['a', 'a'])],
    ],
    'EngineFailed',
  ],
  [
    'fewer layers than the config names',
    [
      ['a', layer],
      ['c.json', config],
      ['manifest.json', list(['a'])],
    ],
    'EngineFailed',
  ],
  [
    'a layer that is another',
    [
      ['a', Buffer.alloc(999, 'x')],
      ['c.json', config],
      ['manifest.json', list(['a', 'a'])],
    ],
    'DigestMismatch',
  ],
  [
    'a name that leads outside',
    [
      ['../../x', layer],
      ['manifest.json', list(['../../x'])],
    ],
    'EngineFailed',
  ],
];

for (const [name, entries, code] of bad) {
  t.test(`refused: ${name}`, async (t) => {
    const dir = t.testdir({ in: { deep: {} } });
    const stage = await openStage(join(dir, 'in/deep/s'));
    await t.rejects(collectArchive(archive(entries), stage), { code });
    t.same(await readdir(dir), ['in']);
    t.same(await readdir(join(dir, 'in')), ['deep'], 'nothing was written elsewhere');
  });
}

t.test('refused: an archive that breaks off', async (t) => {
  const stage = await openStage(join(t.testdir(), 's'));
  const whole: Buffer[] = [];
  for await (const piece of archive([['a', layer]])) whole.push(piece as Buffer);
  const cut = Readable.from([Buffer.concat(whole).subarray(0, 20_000)], { objectMode: false });
  await t.rejects(collectArchive(cut, stage), { code: 'EngineFailed' });
});
