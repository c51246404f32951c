import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { probeFailure } from '../../../src/mirror/probe-failure.js';
import type { ReleaseImage } from '../../../src/release/types.js';
import { idOf, makeBuilder, makeHarness, shown, shownToTheEngine } from './obtain-harness.js';

const etcd: ReleaseImage = { name: 'etcd', reference: 'k8s.gcr.io/etcd:1', recipe: 'etcd' };
const pause: ReleaseImage = { name: 'pause', reference: 'k8s.gcr.io/pause:1', recipe: 'pause' };
const hyperkube: ReleaseImage = { name: 'hyperkube', reference: 'k8s.gcr.io/hyperkube:1', recipe: 'hyperkube' };
const image = (content: string) => ({ kind: 'image', image: { content } }) as const;
const error = (code: 'RegistryFailed' | 'Timeout' | 'Aborted' | 'EngineUnreachable', message: string) =>
  ({ kind: 'error', error: new HyperupError(code, message) }) as const;

t.test('what is in the engine is left alone', async (t) => {
  const h = makeHarness();
  const id = h.engine.addImage(etcd.reference);
  const got = await h.obtain([etcd], ['m.example']);
  t.match(got, [{ name: 'etcd', reference: etcd.reference, id, changed: false, source: { kind: 'engine' } }]);
  t.same(h.asked, []);
  t.same(h.tags, []);
  t.same([...new Set(h.engine.calls.map(({ call }) => call))].sort(), ['info', 'inspectImage']);
});

t.test('the first mirror that serves gives the image, under its canonical name alone', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', probeFailure('notFound', 'a.example has no etcd:1'));
  h.answers.set('b.example', shown('etcd'));
  const [got] = await h.obtain([etcd], ['a.example', 'b.example/k', 'c.example']);
  t.same(h.asked, ['a.example/etcd:1', 'b.example/k/etcd:1'], 'in order, and no further');
  t.match(got?.reports, [
    { source: { kind: 'engine' }, outcome: 'failed' },
    { source: { mirror: 'a.example' }, outcome: 'failed', reason: 'a.example has no etcd:1' },
    { source: { mirror: 'b.example/k' }, outcome: 'served', reason: 'fetched, 45.0 MB' },
  ]);
  t.same(h.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: undefined }]);
  t.match(await h.engine.inspectImage(etcd.reference), { id: got?.id, tags: [etcd.reference] });
  t.match(h.events, [
    { type: 'step', step: 'image etcd', title: etcd.reference, state: 'started' },
    { type: 'wait', reason: 'asking a.example for etcd' },
    { type: 'note', level: 'warn', message: 'etcd: mirror a.example/etcd:1: failed: a.example has no etcd:1' },
    { type: 'wait' },
    { type: 'transfer', image: 'etcd', source: 'b.example/k/etcd:1', currentBytes: 3, totalBytes: 9 },
    { type: 'wait', reason: 'loading etcd into the engine' },
    { type: 'step', state: 'done', detail: 'mirror b.example/k/etcd:1: fetched, 45.0 MB' },
  ]);
  t.notOk(h.engine.calls.some(({ call }) => call === 'pullImage'));
});

t.test('whoever has the same manifest serves along, one name a registry', async (t) => {
  const h = makeHarness();
  for (const host of ['a.example', 'c.example', 'k8s.gcr.io']) h.answers.set(host, shown('etcd', 50_000_000));
  h.answers.set('b.example', shown('another etcd', 50_000_000));
  const nested: ReleaseImage = { name: 'etcd', reference: 'k8s.gcr.io/x/etcd:1' };
  const [got] = await h.obtain([nested], ['a.example', 'b.example', 'c.example']);
  t.same(h.brought, [['a.example/x/etcd:1', 'c.example/x/etcd:1', 'k8s.gcr.io/x/etcd:1']]);
  t.match(got?.reports.at(-1)?.reason, /^fetched, 45\.0 MB \(15\.0 MB from a\.example.*, 15\.0 MB from c\.example/);

  const small = makeHarness();
  for (const host of ['a.example', 'b.example']) small.answers.set(host, shown('etcd'));
  await small.obtain([etcd], ['a.example', 'b.example', 'none']);
  t.same(small.brought, [['a.example/etcd:1']], 'not worth asking for a small image');
});

t.test('a transfer that fails is the failure of all who had part in it', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd', 50_000_000));
  h.answers.set('b.example', shown('etcd', 50_000_000));
  h.answers.set('c.example', shown('another etcd', 50_000_000));
  h.transfers.set('a.example/etcd:1', new HyperupError('ImageUnavailable', 'get blob x: a and b broke off'));
  const [got] = await h.obtain([etcd], ['a.example', 'b.example', 'c.example', 'none']);
  t.match(got?.reports.slice(1), [
    { outcome: 'failed', reason: 'get blob x: a and b broke off' },
    { outcome: 'skipped', reason: 'tried together with a.example/etcd:1: get blob x: a and b broke off' },
    { outcome: 'served' },
  ]);
  t.equal(got?.id, idOf('another etcd'));
});

t.test('a disk that is full is no fault of the mirror', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd'));
  h.transfers.set('a.example/etcd:1', new HyperupError('HostChangeFailed', 'no space left'));
  await t.rejects(h.obtain([etcd], ['a.example', 'b.example']), { code: 'HostChangeFailed' });
});

t.test('what cannot be loaded the engine may pull by itself', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd'));
  h.transfers.set('a.example/etcd:1', new HyperupError('InvalidConfig', 'there is no counterpart of zstd'));
  h.engine.arrangePull('a.example/etcd:1', image('etcd'));
  t.match(await h.obtain([etcd], ['a.example']), [{ reports: [{}, { outcome: 'served', reason: /^pulled/ }] }]);
  t.same(h.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: 'a.example/etcd:1' }]);
});

t.test('an image that the engine has under another name moves no byte', async (t) => {
  const h = makeHarness();
  h.engine.addImage('elsewhere.example/mine:1', { content: 'etcd' });
  h.answers.set('a.example', shown('etcd'));
  const [got] = await h.obtain([etcd], ['a.example']);
  t.same(h.brought, []);
  t.match(got?.reports.at(-1), { outcome: 'served', reason: 'already in the engine under another name' });
  t.same((await h.engine.inspectImage(etcd.reference))?.tags, ['elsewhere.example/mine:1', etcd.reference]);
  t.same(h.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: undefined }]);
});

t.test('what the probe can only show to the engine the engine pulls, and loses the name of the mirror', async (t) => {
  const h = makeHarness();
  h.answers.set('b.example', shownToTheEngine);
  h.engine.arrangePull('b.example/k/etcd:1', {
    kind: 'image',
    image: { content: 'etcd', sizeBytes: 45_000_000 },
    progress: [{ currentBytes: 3, totalBytes: 9, status: 'Downloading' }],
  });
  const [got] = await h.obtain([etcd], ['b.example/k', 'c.example']);
  t.match(got?.reports.at(-1), { source: { mirror: 'b.example/k' }, outcome: 'served', reason: 'pulled, 45.0 MB' });
  t.same(h.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: 'b.example/k/etcd:1' }]);
  t.equal((await h.engine.inspectImage(etcd.reference))?.id, got?.id);
  t.equal(await h.engine.inspectImage('b.example/k/etcd:1'), undefined);
  t.match(
    h.events.filter(({ type }) => type === 'transfer'),
    [{ image: 'etcd', source: 'b.example/k/etcd:1', currentBytes: 3, totalBytes: 9 }],
  );
});

t.test('a registry found dead is not asked for another image', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', probeFailure('timeout', 'a.example gave no answer within 5 s', true));
  h.answers.set('b.example', shown('y'));
  const nested: ReleaseImage = { name: 'y', reference: 'registry.k8s.io/x/y:1' };
  const [got] = await h.obtain([nested], ['a.example', 'b.example']);
  t.match(got?.reports[2], {
    source: { reference: 'a.example/y:1' },
    outcome: 'skipped',
    reason: 'not asked again: a.example gave no answer within 5 s',
  });
  t.same(h.asked, ['a.example/x/y:1', 'b.example/x/y:1']);
});

t.test('a mirror that stalls is dead for the rest of the run', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shownToTheEngine);
  h.engine.arrangePull('a.example/x/y:1', { kind: 'hang' });
  const nested: ReleaseImage = { name: 'y', reference: 'registry.k8s.io/x/y:1' };
  await t.rejects(h.obtain([nested], ['a.example', 'none']), {
    code: 'ImageUnavailable',
    details: { images: [{ sources: [{}, { code: 'Timeout' }, { outcome: 'skipped' }] }] },
  });

  const own = makeHarness();
  own.answers.set('a.example', shown('y'));
  own.transfers.set('a.example/x/y:1', new HyperupError('Timeout', 'nothing came for 20 s'));
  await t.rejects(own.obtain([nested], ['a.example', 'none']), {
    code: 'ImageUnavailable',
    details: { images: [{ sources: [{}, { reason: 'nothing came for 20 s' }, { outcome: 'skipped' }] }] },
  });
});

t.test('where the probe may be wrong the engine has the last word', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', probeFailure('tls', 'a.example: its certificate is not trusted here', true));
  h.engine.arrangePull('a.example/etcd:1', image('etcd'));
  const [got] = await h.obtain([etcd], ['a.example']);
  t.equal(got?.source.kind, 'mirror');

  const both = makeHarness();
  both.answers.set('a.example', probeFailure('tls', 'not trusted here', true));
  both.engine.arrangePull('a.example/etcd:1', error('RegistryFailed', 'x509: unknown authority'));
  await t.rejects(both.obtain([etcd], ['a.example', 'none'], false), {
    message: /not trusted here; the engine: x509: unknown authority/,
  });
});

t.test('a probe of an engine behind a proxy is a hint only', async (t) => {
  const h = makeHarness();
  h.engine.arrangeInfo({ httpsProxy: 'http://proxy.example:3128' });
  h.answers.set('a.example', probeFailure('timeout', 'no answer', true));
  h.engine.arrangePull('a.example/etcd:1', image('etcd'));
  const [got] = await h.obtain([etcd], ['a.example']);
  t.equal(got?.source.kind, 'mirror');
});

t.test('upstream comes after the mirrors, and is journaled before its pull puts the name on', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', probeFailure('notFound', 'no'));
  h.answers.set('k8s.gcr.io', shownToTheEngine);
  h.engine.arrangePull(etcd.reference, image('etcd'));
  const pulledBefore: unknown[] = [];
  h.onTag = async (change) => {
    pulledBefore.push(await h.engine.inspectImage(change.reference));
    h.tags.push(change);
  };
  const [got] = await h.obtain([etcd], ['a.example']);
  t.equal(got?.source.kind, 'upstream');
  t.same(h.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: undefined }]);
  t.same(pulledBefore, [undefined]);
});

t.test('an image for another machine is replaced, and the journal knows what was there', async (t) => {
  const h = makeHarness();
  const wrong = h.engine.addImage(etcd.reference, { content: 'arm', architecture: 'arm64' });
  h.answers.set('a.example', shown('etcd'));
  const [got] = await h.obtain([etcd], ['a.example']);
  t.match(got?.reports[0], { outcome: 'failed', reason: /image is for arm64, this engine runs amd64/ });
  t.same(h.tags, [{ reference: etcd.reference, previousId: wrong, pulledAs: undefined }]);
  t.not(got?.id, wrong);
});

t.test('what was pulled and is not as wanted is removed again', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shownToTheEngine);
  h.engine.arrangePull('a.example/etcd:1', { kind: 'image', image: { content: 'arm', architecture: 'arm64' } });
  await t.rejects(h.obtain([etcd], ['a.example', 'none'], false), { message: /image is for arm64/ });
  t.same(await h.engine.listImages(), []);
  t.same(h.tags, []);
});

t.test('a digest that is pinned', async (t) => {
  const digest = idOf('index of etcd');
  const pinned: ReleaseImage = { name: 'etcd', reference: `k8s.gcr.io/etcd:1@${digest}` };
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd'));
  const [got] = await h.obtain([pinned], ['a.example', 'none']);
  t.same(h.asked, [`a.example/etcd@${digest}`], 'asked for by digest, not by tag');
  t.match(got, { reference: 'k8s.gcr.io/etcd:1', source: { mirror: 'a.example' } });
  t.same(h.tags, [{ reference: 'k8s.gcr.io/etcd:1', previousId: undefined, pulledAs: undefined }]);
  const [again] = await h.obtain([pinned], ['a.example', 'none']);
  t.match(again, { changed: false });
  t.equal(h.brought.length, 1, 'an image that was loaded has no digest of a registry; its id tells');

  const known = makeHarness();
  known.engine.addImage('k8s.gcr.io/etcd:1', { digests: [`k8s.gcr.io/etcd@${digest}`] });
  t.match(await known.obtain([pinned], []), [{ changed: false }]);
  const unknown = makeHarness();
  unknown.engine.addImage('k8s.gcr.io/etcd:1', { content: 'of unknown origin' });
  await t.rejects(unknown.obtain([pinned], ['none']), {
    message: new RegExp(`engine: failed: .*no digest \\(image .*want ${digest}`),
  });

  const byEngine = makeHarness();
  byEngine.answers.set('a.example', shownToTheEngine);
  byEngine.engine.arrangePull(`a.example/etcd@${digest}`, image('etcd'));
  await byEngine.obtain([pinned], ['a.example', 'none']);
  t.same(byEngine.tags, [
    { reference: 'k8s.gcr.io/etcd:1', previousId: undefined, pulledAs: `a.example/etcd@${digest}` },
  ]);
});

t.test('a lock decides what an image is', async (t) => {
  const locked = {
    digest: idOf('index of etcd'),
    mediaType: 'x',
    platforms: { 'linux/amd64': { manifest: idOf('manifest of etcd'), config: idOf('etcd'), size: 1 } },
    source: 'k8s.gcr.io/etcd:1',
    at: '2026-01-01T00:00:00Z',
  };
  const lock = { version: 1, images: { 'k8s.gcr.io/etcd:1': locked } } as const;
  const h = makeHarness();
  h.lock = lock;
  h.engine.addImage(etcd.reference, { content: 'built here' });
  h.answers.set('a.example', probeFailure('digest', 'a.example has another'));
  h.answers.set('b.example', shown('etcd'));
  const [got] = await h.obtain([etcd], ['a.example', 'b.example']);
  t.match(got?.reports, [
    { source: { kind: 'engine' }, outcome: 'failed', code: 'DigestMismatch' },
    { outcome: 'failed', code: 'DigestMismatch', reason: 'a.example has another' },
    { outcome: 'served' },
  ]);
  t.match(h.targets, [{ pin: { root: locked.digest, manifest: idOf('manifest of etcd') } }, {}], 'the mirror is told');
  t.match(await h.obtain([etcd], ['a.example']), [{ changed: false }], 'known by its id afterwards');

  const bare = makeHarness();
  bare.lock = lock;
  bare.builder = makeBuilder(bare);
  bare.answers.set('a.example', shown('pause'));
  await t.rejects(bare.obtain([pause], ['a.example']), {
    code: 'ImageUnavailable',
    message: /pause[\s\S]*lock: failed: it does not name k8s\.gcr\.io\/pause:1/,
  });
  t.same([bare.asked, bare.built], [[], []], 'nobody is asked and nothing is built');

  const byEngine = makeHarness();
  byEngine.lock = lock;
  byEngine.answers.set('a.example', probeFailure('tls', 'not trusted here', true));
  const reference = `a.example/etcd@${idOf('manifest of etcd')}`;
  byEngine.engine.arrangePull(reference, { kind: 'image', image: { content: 'etcd', digests: [reference] } });
  t.match(await byEngine.obtain([etcd], ['a.example', 'none']), [{ id: idOf('etcd') }], 'the engine pulls by digest');
});

t.test("names of the user's own are as they were", async (t) => {
  const used = makeHarness();
  const mirrored = used.engine.addImage('a.example/etcd:1', { content: 'loaded by the user' });
  const [got] = await used.obtain([etcd], ['a.example']);
  t.equal(got?.id, mirrored, "an image under a mirror's name needs no pull");
  t.same(used.asked, []);
  t.same(used.tags, [{ reference: etcd.reference, previousId: undefined, pulledAs: undefined }]);
  t.same((await used.engine.inspectImage(mirrored))?.tags, ['a.example/etcd:1', etcd.reference]);

  const moved = makeHarness();
  const old = moved.engine.addImage('a.example/etcd:1', { content: 'arm', architecture: 'arm64' });
  moved.answers.set('a.example', shownToTheEngine);
  moved.engine.arrangePull('a.example/etcd:1', image('amd'));
  const [served] = await moved.obtain([etcd], ['a.example']);
  t.equal((await moved.engine.inspectImage('a.example/etcd:1'))?.id, old);
  t.equal((await moved.engine.inspectImage(etcd.reference))?.id, served?.id);
});

t.test('building comes last, one image at a time', async (t) => {
  const h = makeHarness();
  h.builder = makeBuilder(h);
  h.answers.set('a.example', probeFailure('notFound', 'no'));
  h.answers.set('a.example/pause:1', shown('pause'));
  const got = await h.obtain([hyperkube, etcd, pause], ['a.example', 'none']);
  t.same(
    got.map(({ name, source }) => [name, source.kind]),
    [
      ['hyperkube', 'build'],
      ['etcd', 'build'],
      ['pause', 'mirror'],
    ],
  );
  t.same(h.built, ['hyperkube', 'etcd']);
  t.same(
    h.tags.map(({ reference, pulledAs }) => [reference, pulledAs]),
    [
      [pause.reference, undefined],
      [hyperkube.reference, undefined],
      [etcd.reference, undefined],
    ],
  );
});

t.test('no build begins while another image is beyond reach', async (t) => {
  const cases: readonly { readonly name: string; readonly canBuild: (recipe: string) => boolean }[] = [
    { name: 'no recipe works here for one', canBuild: (recipe) => recipe !== 'pause' },
  ];
  for (const { name, canBuild } of cases) {
    const h = makeHarness();
    h.builder = makeBuilder(h, canBuild);
    await t.rejects(
      h.obtain([hyperkube, pause], ['none']),
      {
        message:
          /hyperkube[\s\S]*build hyperkube: skipped: not begun, since pause can neither[\s\S]*this host cannot build it/,
      },
      name,
    );
    t.same(h.built, []);
    t.same(h.tags, []);
  }
});

t.test('a build that fails is a source that failed', async (t) => {
  const h = makeHarness();
  h.builder = {
    canBuild: () => true,
    build: async () => {
      throw new HyperupError('BuildFailed', 'build etcd: apt-get exited with 100');
    },
  };
  await t.rejects(h.obtain([etcd], ['none']), {
    code: 'ImageUnavailable',
    message: /build etcd: failed: build etcd: apt-get exited with 100/,
  });
  h.builder = { canBuild: () => true, build: async () => {} };
  await t.rejects(h.obtain([etcd], ['none']), { message: /ended without an image/ });
});

t.test('a failure names every source of every missing image', async (t) => {
  const h = makeHarness();
  h.engine.addImage(pause.reference);
  h.answers.set('a.example', probeFailure('refused', '127.0.0.1 refused the connection', true));
  h.answers.set('127.0.0.1:5000', probeFailure('login', '127.0.0.1:5000 wants a login'));
  h.answers.set('k8s.gcr.io', probeFailure('timeout', 'k8s.gcr.io gave no answer within 5 s', true));
  const failure = await h
    .obtain([etcd, pause], ['127.0.0.1:5000', 'upstream'], false)
    .catch((thrown: unknown) => thrown);
  t.ok(failure instanceof HyperupError);
  t.match(failure, {
    code: 'ImageUnavailable',
    message: [
      'obtain images: no source has 1 of 2 images',
      'etcd (k8s.gcr.io/etcd:1)',
      '  - engine: failed: it has no such image',
      '  - mirror 127.0.0.1:5000/etcd:1: failed: 127.0.0.1:5000 wants a login',
      '  - upstream k8s.gcr.io/etcd:1: failed: k8s.gcr.io gave no answer within 5 s',
    ].join('\n'),
    hint: /--mirror.*--no-build.*docker load/,
  });
  t.match(h.events.at(-1), { type: 'step', step: 'image etcd', state: 'failed' });
});

t.test('no more than three images at once', async (t) => {
  const h = makeHarness();
  const images = ['a', 'b', 'c', 'd', 'e'].map((name): ReleaseImage => ({ name, reference: `k8s.gcr.io/${name}:1` }));
  let now = 0;
  let most = 0;
  for (const { name } of images) {
    h.answers.set(`m.example/${name}:1`, shown(name));
    h.transfers.set(`m.example/${name}:1`, async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
    });
  }
  const got = await h.obtain(images, ['m.example', 'none']);
  t.same(
    got.map(({ name }) => name),
    ['a', 'b', 'c', 'd', 'e'],
    'in the order of the release',
  );
  t.equal(most, 3);
});

t.test('an abort ends the run and leaves no name', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd'));
  h.transfers.set('a.example/etcd:1', () => {
    h.controller.abort(new Error('Ctrl-C'));
    throw new HyperupError('Aborted', 'interrupted');
  });
  await t.rejects(h.obtain([etcd], ['a.example']), { code: 'Aborted' });
  t.same([await h.engine.listImages(), h.tags], [[], []]);
  await t.rejects(h.obtain([etcd], ['a.example']), { code: 'Aborted' }, 'not begun at all');

  const byEngine = makeHarness();
  byEngine.answers.set('a.example', shownToTheEngine);
  byEngine.engine.pullImage = async (reference) => {
    byEngine.engine.addImage(reference);
    byEngine.controller.abort(new Error('Ctrl-C'));
    throw new HyperupError('Aborted', 'interrupted');
  };
  await t.rejects(byEngine.obtain([etcd], ['a.example']), { code: 'Aborted' });
  t.same([await byEngine.engine.listImages(), byEngine.tags], [[], []]);
});

t.test('an engine that goes away is no fault of the sources', async (t) => {
  const h = makeHarness();
  h.answers.set('a.example', shown('etcd'));
  h.transfers.set('a.example/etcd:1', new HyperupError('EngineUnreachable', 'the engine is gone'));
  await t.rejects(h.obtain([etcd], ['a.example']), { code: 'EngineUnreachable' });
});

t.test('a journal that cannot be written stops the tagging', async (t) => {
  for (const answer of [shown('etcd'), shownToTheEngine]) {
    const h = makeHarness();
    h.answers.set('a.example', answer);
    h.engine.arrangePull('a.example/etcd:1', image('etcd'));
    h.onTag = async () => {
      throw new HyperupError('PermissionDenied', 'the journal may not be written');
    };
    await t.rejects(h.obtain([etcd], ['a.example']), { code: 'PermissionDenied' });
    t.same(await h.engine.listImages(), [], "neither the canonical name nor the mirror's is there");
  }
});

t.test('a mirror that cannot be read is told before anything is done', async (t) => {
  const h = makeHarness();
  await t.rejects(h.obtain([etcd], ['nonsense']), { code: 'InvalidConfig' });
  t.notOk(h.engine.calls.some(({ call }) => call !== 'info'));
});
