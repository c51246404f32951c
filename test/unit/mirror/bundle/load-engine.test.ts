import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { extract } from 'tar-stream';
import { HyperupError } from '../../../../src/base/errors.js';
import type { ImageSummary } from '../../../../src/docker/types.js';
import { loadIntoEngine } from '../../../../src/mirror/bundle/load-engine.js';
import { openBundle } from '../../../../src/mirror/bundle/open-bundle.js';
import { builtContents, ownLayer, twoImages, writtenBundle } from '../../../builders/bundle.js';

/** An engine that reads an archive as Docker does: all of it first, then its list of images. */
function archiveEngine(layers: readonly (readonly string[])[] = []) {
  const seen: { readonly entries: Map<string, number>; list: string | undefined; failed: boolean } = {
    entries: new Map(),
    list: undefined,
    failed: false,
  };
  return {
    seen,
    listImages: async () => layers.map((stack) => ({ layers: stack }) as ImageSummary),
    loadImage: async (tar: Readable): Promise<readonly string[]> => {
      const unpack = extract();
      tar.on('error', () => unpack.destroy());
      tar.pipe(unpack as unknown as NodeJS.WritableStream);
      try {
        for await (const entry of unpack) {
          const pieces: Buffer[] = [];
          for await (const piece of entry) pieces.push(piece as Buffer);
          seen.entries.set(entry.header.name, Buffer.concat(pieces).length);
          if (entry.header.name === 'manifest.json') seen.list = Buffer.concat(pieces).toString();
        }
      } catch {
        seen.failed = true;
      }
      if (seen.list === undefined) throw new HyperupError('EngineFailed', 'load images: unexpected EOF');
      return [];
    },
  };
}

async function opened(t: Test, left: readonly string[] = [], damage = false) {
  const path = join(t.testdir(), 'b.tar');
  await writtenBundle(path, builtContents(twoImages(), left));
  if (damage) {
    const bytes = await readFile(path);
    bytes[bytes.indexOf(ownLayer) + 7] = 0;
    await writeFile(path, bytes);
  }
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  return bundle;
}

t.test('each blob goes once, the list of images last', async (t) => {
  const bundle = await opened(t);
  const engine = archiveEngine();
  const told: number[] = [];
  await loadIntoEngine({ bundle, engine, images: bundle.manifest.images, onBytes: (sent) => told.push(sent) });
  const names = [...engine.seen.entries.keys()];
  t.equal(names.at(-1), 'manifest.json');
  t.equal(names.length, 5, 'two configs, two layers, the list');
  const list = JSON.parse(engine.seen.list ?? '') as { RepoTags: string[]; Layers: string[] }[];
  t.same(
    list.map(({ RepoTags }) => RepoTags[0]),
    ['k8s.gcr.io/etcd:3.4.13-0', 'app:1'],
  );
  t.same(
    list.map(({ Layers }) => Layers.length),
    [2, 1],
  );
  t.ok(list.every(({ Layers }) => Layers.every((name) => engine.seen.entries.has(name))));
  t.same(
    told,
    told.toSorted((a, b) => a - b),
  );
});

t.test('only those that are wanted', async (t) => {
  const bundle = await opened(t);
  const engine = archiveEngine();
  await loadIntoEngine({ bundle, engine, images: bundle.manifest.images.slice(1) });
  t.equal(engine.seen.entries.size, 3);
});

t.test('a blob that lies: the engine never gets to see what images there are', async (t) => {
  const bundle = await opened(t, [], true);
  const engine = archiveEngine();
  await t.rejects(loadIntoEngine({ bundle, engine, images: bundle.manifest.images }), { code: 'DigestMismatch' });
  t.equal(engine.seen.list, undefined);
});

t.test('what forbids it comes before the list too', async (t) => {
  const bundle = await opened(t);
  const engine = archiveEngine();
  const permitted = Promise.reject(new HyperupError('Conflict', 'for another machine'));
  permitted.catch(() => {});
  await t.rejects(loadIntoEngine({ bundle, engine, images: bundle.manifest.images, permitted }), { code: 'Conflict' });
  t.equal(engine.seen.list, undefined);
});

t.test('an interruption ends it', async (t) => {
  const bundle = await opened(t);
  const engine = archiveEngine();
  const options = { bundle, engine, images: bundle.manifest.images, signal: AbortSignal.abort() };
  await t.rejects(loadIntoEngine(options), { code: 'Aborted' });
  t.equal(engine.seen.list, undefined);
});

t.test('a delta', async (t) => {
  const [etcd] = twoImages();
  const [low, high] = etcd?.image.layers ?? [];
  const stack = [low?.diffId ?? '', high?.diffId ?? ''];
  const bundle = await opened(t, [high?.digest ?? '']);
  const having = archiveEngine([stack]);
  await loadIntoEngine({ bundle, engine: having, images: bundle.manifest.images });
  t.ok(having.seen.list, 'goes in where the engine has the rest');
  const wrong = { code: 'NotFound', message: /it is a delta and the engine lacks 1 layers of k8s\.gcr\.io\/etcd/ };
  const lacking = archiveEngine([[stack[1] ?? '']]);
  const options = { bundle, engine: lacking, images: bundle.manifest.images };
  await t.rejects(loadIntoEngine(options), wrong, 'a layer upon others is another one');
  t.equal(lacking.seen.entries.size, 0, 'nothing was sent');
  const error: unknown = await loadIntoEngine(options).catch((reason: unknown) => reason);
  t.match((error as HyperupError).hint, /old\.tar/, 'it says what base it needs');
});
