import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { extract } from 'tar-stream';
import { HyperupError } from '../../../../src/base/errors.js';
import type { ImageEngine, ImageSummary } from '../../../../src/docker/types.js';
import { openEngineWriter } from '../../../../src/mirror/content/engine-writer.js';
import { digestOf, makeImage, makeScene, putImage, streamOf } from './content-scene.js';

interface Loaded {
  readonly list: readonly {
    readonly Config: string;
    readonly RepoTags: readonly string[] | null;
    readonly Layers: readonly string[];
  }[];
  readonly members: ReadonlyMap<string, Buffer>;
}

/** As much of an engine as `docker load` needs: names, and what came in whole. */
function makeEngine(options: { readonly failAfterTags?: boolean; readonly failAtOnce?: boolean } = {}) {
  const names = new Map<string, string>();
  const loads: Loaded[] = [];
  const broken: unknown[] = [];
  const readLoad = async (tar: Readable): Promise<readonly string[]> => {
    if (options.failAtOnce) {
      tar.resume();
      throw new HyperupError('EngineFailed', 'load images: no space left on device');
    }
    const members = new Map<string, Buffer>();
    try {
      const entries = tar.pipe(extract());
      tar.on('error', (error) => entries.destroy(error));
      tar.on('close', () => tar.readableEnded || entries.destroy(new Error('cut')));
      for await (const entry of entries) members.set(entry.header.name, await buffer(entry));
    } catch (error) {
      broken.push(error);
      throw new HyperupError('EngineFailed', 'load images: unexpected EOF');
    }
    const list = JSON.parse(String(members.get('manifest.json'))) as Loaded['list'];
    loads.push({ list, members });
    for (const { Config, RepoTags } of list) {
      const id = `sha256:${Config.replace('.json', '')}`;
      names.set(id, id);
      for (const tag of RepoTags ?? []) names.set(tag, id);
    }
    if (options.failAfterTags) throw new HyperupError('EngineFailed', 'load images: no space left on device');
    return list.flatMap(({ RepoTags }) => RepoTags ?? []);
  };
  const calls: Pick<ImageEngine, 'inspectImage' | 'loadImage' | 'tagImage' | 'removeImage'> = {
    inspectImage: async (name) => {
      const id = names.get(name);
      return id === undefined ? undefined : ({ id, digests: [] as readonly string[] } as ImageSummary);
    },
    loadImage: readLoad,
    tagImage: async (source, target) => void names.set(target, names.get(source) ?? source),
    removeImage: async (name) => names.delete(name),
  };
  return { engine: calls as ImageEngine, names, loads, broken };
}

const one = makeImage(['one', 'shared']);
const two = makeImage(['two', 'shared']);

t.test('one load of all images, layers compressed as they came, the list last', async (t) => {
  const scene = await makeScene(t);
  const fake = makeEngine();
  const writer = await openEngineWriter({ ...scene.deps, engine: fake.engine });
  await putImage(writer, one, 'docker.io/library/one:1');
  await putImage(writer, two, 'a.b/two@sha256:'.concat('0'.repeat(64)));
  await writer.commit();
  t.equal(fake.loads.length, 1);
  const { list = [], members } = fake.loads[0] ?? {};
  t.strictSame(
    list.map(({ RepoTags }) => RepoTags),
    [['docker.io/library/one:1'], null],
  );
  t.equal([...(members?.keys() ?? [])].at(-1), 'manifest.json');
  for (const [at, image] of [one, two].entries()) {
    t.strictSame(
      list[at]?.Layers.map((name) => digestOf(members?.get(name) ?? Buffer.alloc(0))),
      image.layers.map(({ digest }) => digest),
    );
  }
  t.equal([...(members?.keys() ?? [])].filter((name) => name.startsWith('layer-')).length, 3, 'the shared layer once');
  t.strictSame(await scene.list('tmp'), []);
});

t.test('an image that the engine has is only named', async (t) => {
  const scene = await makeScene(t);
  const fake = makeEngine();
  fake.names.set(one.config.digest, one.config.digest);
  const writer = await openEngineWriter({ ...scene.deps, engine: fake.engine });
  t.equal(await writer.hasImage?.(one.manifest), true);
  t.equal(await writer.hasImage?.(two.manifest), false);
  await writer.putManifest(one.manifest, 'a.b/one:1');
  await t.rejects(writer.putManifest(two.manifest, 'a.b/two:1'), { code: 'NotFound', message: /config .* is missing/ });
  await writer.commit();
  t.equal(fake.names.get('a.b/one:1'), one.config.digest);
  t.strictSame(fake.loads, []);
});

t.test('a wrong layer is never named; it may be tried again', async (t) => {
  const scene = await makeScene(t);
  const fake = makeEngine();
  const writer = await openEngineWriter({ ...scene.deps, engine: fake.engine });
  for (const layer of one.layers) {
    const wrong = Buffer.alloc(layer.size, 'x');
    await t.rejects(writer.putBlob(layer, streamOf(wrong)), { code: 'DigestMismatch' });
    t.equal(await writer.hasBlob(layer), false);
  }
  await putImage(writer, one, 'a.b/one:1');
  await writer.commit();
  const { list = [], members } = fake.loads[0] ?? {};
  t.strictSame(
    list[0]?.Layers.map((name) => digestOf(members?.get(name) ?? Buffer.alloc(0))),
    one.layers.map(({ digest }) => digest),
  );
});

t.test('given up: the engine gets no whole archive', async (t) => {
  const scene = await makeScene(t);
  for (const how of ['abort', 'signal'] as const) {
    const fake = makeEngine();
    const writer = await openEngineWriter({ ...scene.deps, engine: fake.engine });
    await putImage(writer, one, 'a.b/one:1');
    if (how === 'signal') {
      const layer = two.layers[0] ?? two.config;
      await t.rejects(writer.putBlob(layer, streamOf(Buffer.alloc(1)), AbortSignal.abort()), { code: 'Aborted' });
      await t.rejects(writer.commit());
    }
    await writer.abort();
    t.equal(fake.broken.length, 1, how);
    t.strictSame([...fake.names], [], how);
  }
});

t.test('a load that fails is taken back', async (t) => {
  const scene = await makeScene(t);
  const fake = makeEngine({ failAfterTags: true });
  fake.names.set('a.b/two:1', 'sha256:old');
  fake.names.set('sha256:old', 'sha256:old');
  const before = [...fake.names];
  const writer = await openEngineWriter({ ...scene.deps, engine: fake.engine });
  await putImage(writer, one, 'a.b/one:1');
  await putImage(writer, two, 'a.b/two:1');
  await t.rejects(writer.commit(), { code: 'EngineFailed', message: /no space left/ });
  await writer.abort();
  t.strictSame(new Map(fake.names), new Map(before), 'names are what they were');

  const full = makeEngine({ failAtOnce: true });
  const second = await openEngineWriter({ ...scene.deps, engine: full.engine });
  const big = Buffer.alloc(20 * 2 ** 20);
  const blob = { mediaType: 'x', digest: digestOf(big), size: big.length };
  await t.rejects(
    (async () => {
      await second.putBlob(blob, streamOf(big));
      await second.commit();
    })(),
    { code: 'EngineFailed', message: /no space left/ },
    'and what the engine says is what is told',
  );
  await second.abort();
});
