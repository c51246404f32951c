import t from 'tap';
import { isHyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { FetchBlobRequest } from '../../../../src/mirror/content/types.js';
import { type BlobFetcherOptions, createBlobFetcher } from '../../../../src/mirror/fetch/blob-fetcher.js';
import { type ManualClock, makeManualClock } from '../../../fakes/manual-clock.js';
import {
  type Behaviour,
  type FakeOrigin,
  type FakeOriginOptions,
  type MemoryPart,
  makeContent,
  makeFakeOrigin,
  makeMemoryPart,
  passTime,
} from './fake-origin.js';

const megabyte = 1 << 20;

interface Scene {
  readonly clock: ManualClock;
  readonly content: Buffer;
  readonly part: MemoryPart;
  origin(options: Partial<FakeOriginOptions> & { readonly name: string }): FakeOrigin;
  fetch(
    origins: readonly FakeOrigin[],
    more?: Partial<FetchBlobRequest>,
  ): Promise<readonly { readonly origin: string; readonly bytes: number }[]>;
}

function makeScene(size: number, options: Partial<BlobFetcherOptions> = {}, given?: MemoryPart): Scene {
  const clock = makeManualClock();
  const { content, blob } = makeContent(size);
  const part = given ?? makeMemoryPart(size);
  const fetcher = createBlobFetcher({
    clock,
    logger: silentLogger,
    random: () => 0.5,
    limits: { minSegment: 64 * 1024 },
    openStore: async () => part,
    ...options,
  });
  return {
    clock,
    content,
    part,
    origin: (each) => makeFakeOrigin({ content, clock, ...each }),
    fetch: (origins, more = {}) => passTime(clock, fetcher.fetch({ blob, origins, path: '/nowhere', ...more })),
  };
}

const always = (behaviour: Behaviour) => () => behaviour;

t.test('a fast link is read by one request in order', async (t) => {
  const scene = makeScene(20 * megabyte);
  const origin = scene.origin({ name: 'fast', rate: 200e6 });
  const from = await scene.fetch([origin]);
  t.strictSame(from, [{ origin: 'fast', bytes: 20 * megabyte }]);
  t.strictSame(origin.asked, [{ start: 0, end: 20 * megabyte }]);
  t.ok(scene.part.content.equals(scene.content));
  t.ok(scene.part.completed);
});

t.test('connections that are held one by one are many, those that are held together are few', async (t) => {
  const slow = makeScene(20 * megabyte);
  const each = slow.origin({ name: 'each', rate: 1e6 });
  await slow.fetch([each]);
  t.equal(each.mostOpen, 8);
  t.ok(slow.clock.monotonicMs() < 0.3 * 20_971, `${slow.clock.monotonicMs()} ms, one connection takes 20971`);

  const held = makeScene(20 * megabyte);
  const all = held.origin({ name: 'all', rate: 100e6, totalRate: 2e6 });
  await held.fetch([all]);
  t.ok(all.mostOpen <= 2, `${all.mostOpen} connections where more bring nothing`);
});

t.test('two mirrors that are held serve nearly twice what one does', async (t) => {
  const times: number[] = [];
  for (const names of [['a'], ['a', 'b']]) {
    const scene = makeScene(24 * megabyte);
    await scene.fetch(names.map((name) => scene.origin({ name, totalRate: 2e6 })));
    times.push(scene.clock.monotonicMs());
  }
  const [one = 0, two = 1] = times;
  t.ok(one / two >= 1.8, `${one} ms and ${two} ms`);
});

t.test('the faster mirror serves most, and the next blob begins there', async (t) => {
  const scene = makeScene(16 * megabyte);
  const slow = scene.origin({ name: 'slow', totalRate: 0.3e6 });
  const fast = scene.origin({ name: 'fast', totalRate: 4e6 });
  const from = await scene.fetch([slow, fast]);
  const bytes = Object.fromEntries(from.map((each) => [each.origin, each.bytes]));
  t.ok((bytes['fast'] ?? 0) > 5 * (bytes['slow'] ?? 0), JSON.stringify(bytes));
  const before = slow.asked.length;
  await scene.part.restart();
  await scene.fetch([slow, fast]);
  t.equal(
    fast.asked.some((range) => range.start === 0),
    true,
    'the first byte comes from the fast one',
  );
  t.ok(slow.asked.length - before <= 4, `${slow.asked.length - before} requests of the slow one`);
});

t.test('a small blob is one request', async (t) => {
  const scene = makeScene(1000);
  const origins = ['a', 'b'].map((name) => scene.origin({ name, rate: 5e3 }));
  await scene.fetch(origins);
  t.strictSame(
    origins.map((origin) => origin.asked.length),
    [1, 0],
  );
});

const faults: readonly (readonly [string, Behaviour])[] = [
  ['refuses', { kind: 'fail', failure: 'refused' }],
  ['is rate limited', { kind: 'fail', failure: 'rateLimited' }],
  ['wants a login', { kind: 'fail', failure: 'login' }],
  ['is a web page', { kind: 'fail', failure: 'notRegistry' }],
  ['has nothing', { kind: 'fail', failure: 'notFound' }],
  ['hangs', { kind: 'hang' }],
  ['cuts', { kind: 'error', after: 100_000 }],
  ['ends early', { kind: 'short', after: 100_000 }],
  ['stalls', { kind: 'stall', after: 300_000 }],
  ['sends a byte a second', { kind: 'trickle', after: 300_000 }],
  ['has another size', { kind: 'wrongSize' }],
  ['sends another range', { kind: 'wrongStart' }],
];

t.test('what an origin does wrong, another makes good', async (t) => {
  for (const [name, behaviour] of faults) {
    const scene = makeScene(4 * megabyte);
    const bad = scene.origin({ name: 'bad', rate: 1e6, behaviour: always(behaviour) });
    const good = scene.origin({ name: 'good', rate: 1e6 });
    const from = await scene.fetch([bad, good]);
    t.ok(scene.part.content.equals(scene.content), name);
    t.ok(
      from.some((each) => each.origin === 'good'),
      name,
    );
    t.ok(scene.clock.monotonicMs() < 15_000, `${name}: ${scene.clock.monotonicMs()} ms`);
  }
});

t.test('an only origin that does wrong is named, with why', async (t) => {
  for (const [name, behaviour] of faults) {
    const scene = makeScene(4 * megabyte);
    const bad = scene.origin({ name: 'bad', rate: 1e6, behaviour: always(behaviour) });
    const code = name === 'has another size' ? 'DigestMismatch' : 'ImageUnavailable';
    const fetched = scene.fetch([bad]);
    // A connection that is cut is gone on with where it was.
    if (name === 'cuts' || name === 'ends early') {
      await fetched.catch((error: unknown) => t.ok(isHyperupError(error, code), name));
      continue;
    }
    const error: unknown = await fetched.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    t.ok(isHyperupError(error, code), `${name}: ${String(error)}`);
    t.match(String(error), /bad: /, name);
    t.notOk(scene.part.completed, name);
  }
});

t.test('a registry without ranges is read in one go, and only what is missing is taken', async (t) => {
  const { content } = makeContent(4 * megabyte);
  const found = [{ start: megabyte, end: 2 * megabyte }];
  const scene = makeScene(4 * megabyte, {}, makeMemoryPart(4 * megabyte, found, content));
  const origin = scene.origin({ name: 'plain', rate: 1e6, ignoresRange: true });
  const from = await scene.fetch([origin]);
  t.strictSame(from, [{ origin: 'plain', bytes: 3 * megabyte }]);
  t.ok(scene.part.content.equals(content));
});

t.test('what was found is not moved again', async (t) => {
  const { content } = makeContent(8 * megabyte);
  const found = [
    { start: 0, end: 3 * megabyte },
    { start: 4 * megabyte, end: 7 * megabyte },
  ];
  const scene = makeScene(8 * megabyte, {}, makeMemoryPart(8 * megabyte, found, content));
  const told: (readonly [number, string | undefined])[] = [];
  const origin = scene.origin({ name: 'a', rate: 20e6 });
  await scene.fetch([origin], { onBytes: (bytes, name) => void told.push([bytes, name]) });
  t.ok(origin.sent <= 2 * megabyte * 1.05, `${origin.sent} bytes`);
  t.strictSame(told[0], [6 * megabyte, undefined]);
  t.equal(
    told.reduce((sum, [bytes]) => sum + bytes, 0),
    8 * megabyte,
  );
});

t.test('a liar is found out', async (t) => {
  const flip: Behaviour = { kind: 'flip', at: 500_000 };
  await t.test('alone: a clear error and nothing kept', async (t) => {
    const scene = makeScene(megabyte);
    const fetched = scene.fetch([scene.origin({ name: 'liar', behaviour: always(flip) })]);
    await t.rejects(fetched, { code: 'DigestMismatch', message: /liar: served sha256:/ });
    t.notOk(scene.part.completed);
    t.strictSame(scene.part.noted, []);
  });
  await t.test('beside an honest one', async (t) => {
    const scene = makeScene(megabyte);
    const honest = scene.origin({ name: 'honest' });
    await scene.fetch([scene.origin({ name: 'liar', behaviour: always(flip) }), honest]);
    t.ok(scene.part.content.equals(scene.content));
    t.equal(honest.sent, megabyte);
  });
  await t.test('where both had part in it', async (t) => {
    const scene = makeScene(8 * megabyte);
    const [liar, honest] = [
      scene.origin({ name: 'liar', totalRate: 1e6, behaviour: always(flip) }),
      scene.origin({ name: 'honest', totalRate: 1e6 }),
    ];
    await scene.fetch([liar, honest]);
    t.ok(scene.part.content.equals(scene.content));
  });
  await t.test('where an earlier process left wrong bytes', async (t) => {
    const part = makeMemoryPart(megabyte, [{ start: 0, end: 1000 }]);
    const scene = makeScene(megabyte, {}, part);
    await scene.fetch([scene.origin({ name: 'a' })]);
    t.ok(part.content.equals(scene.content));
    t.equal(part.restarts, 1);
  });
  await t.test('every one', async (t) => {
    const scene = makeScene(megabyte);
    const liars = ['a', 'b', 'c'].map((name) => scene.origin({ name, behaviour: always(flip) }));
    await t.rejects(scene.fetch(liars), { code: 'DigestMismatch', message: /a: .*b: .*c: / });
  });
});

t.test('a target that streams gets the bytes in order', async (t) => {
  await t.test('however slow it is and whatever order they come in', async (t) => {
    const scene = makeScene(6 * megabyte);
    const chunks: Buffer[] = [];
    let inside = 0;
    await scene.fetch([scene.origin({ name: 'a', rate: 0.5e6 })], {
      onPrefix: async (chunk) => {
        t.equal(++inside, 1, 'one call at a time');
        chunks.push(Buffer.from(chunk));
        await scene.clock.sleep(20);
        inside -= 1;
      },
    });
    t.ok(Buffer.concat(chunks).equals(scene.content));
  });
  const flip = always({ kind: 'flip', at: 10 });
  await t.test('begins anew where they were wrong', async (t) => {
    const scene = makeScene(megabyte);
    let chunks: Buffer[] = [];
    await scene.fetch([scene.origin({ name: 'liar', behaviour: flip }), scene.origin({ name: 'b' })], {
      onPrefix: (chunk) => void chunks.push(Buffer.from(chunk)),
      onRestart: () => {
        chunks = [];
      },
    });
    t.ok(Buffer.concat(chunks).equals(scene.content));
  });
  await t.test('or fails, and the next fetch asks another', async (t) => {
    const scene = makeScene(megabyte);
    const liar = scene.origin({ name: 'liar', behaviour: flip });
    const origins = [liar, scene.origin({ name: 'b' })];
    await t.rejects(scene.fetch(origins, { onPrefix: () => {} }), { code: 'DigestMismatch' });
    await scene.fetch(origins, { onPrefix: () => {} });
    t.equal(liar.asked.length, 1);
  });
  await t.test("an error of its own is the fetch's", async (t) => {
    const scene = makeScene(megabyte);
    const broken = new Error('the target is full');
    const fetched = scene.fetch([scene.origin({ name: 'a' })], { onPrefix: () => Promise.reject(broken) });
    await t.rejects(fetched, broken);
  });
});

t.test('an abort ends it at once and leaves notes of what came', async (t) => {
  const scene = makeScene(8 * megabyte);
  const stop = new AbortController();
  const origin = scene.origin({ name: 'a', rate: 1e6 });
  let moved = 0;
  const fetched = scene.fetch([origin], {
    signal: stop.signal,
    onBytes: (bytes) => {
      moved += bytes;
      if (moved > 2 * megabyte) stop.abort(new Error('enough'));
    },
  });
  await t.rejects(fetched, { code: 'Aborted' });
  t.equal(
    scene.part.noted.reduce((sum, { start, end }) => sum + end - start, 0),
    moved,
  );
  await passTime(scene.clock, scene.clock.sleep(100));
  t.equal(origin.openNow, 0);
});

t.test('many blobs at once keep to the limits and all end', async (t) => {
  const clock = makeManualClock();
  const fetcher = createBlobFetcher({
    clock,
    logger: silentLogger,
    random: () => 0.5,
    connections: { perHost: 3, total: 4 },
    limits: { minSegment: 16 * 1024 },
    openStore: async ({ blob }) => makeMemoryPart(blob.size),
  });
  const blobs = Array.from({ length: 12 }, (_, index) => makeContent(200_000 + index * 50_000, index));
  const counts = { now: 0, most: 0 };
  const work = blobs.map(({ content, blob }) => {
    const origins = ['a', 'b'].map((name) => {
      const origin = makeFakeOrigin({ name, content, clock, rate: 1e5 });
      return {
        ...origin,
        open: async (...args: Parameters<typeof origin.open>) => {
          const stream = await origin.open(...args);
          counts.now += 1;
          counts.most = Math.max(counts.most, counts.now);
          stream.body.once('close', () => {
            counts.now -= 1;
          });
          return stream;
        },
      };
    });
    return fetcher.fetch({ blob, origins, path: '/nowhere' });
  });
  await passTime(clock, Promise.all(work));
  t.ok(counts.most <= 4, `${counts.most} at once`);
});

t.test('hosts that only fail cost their patience once, not once a blob', async (t) => {
  const clock = makeManualClock();
  const fetcher = createBlobFetcher({
    clock,
    logger: silentLogger,
    random: () => 0.5,
    openStore: async ({ blob }) => makeMemoryPart(blob.size),
  });
  const blobs = Array.from({ length: 20 }, (_, index) => makeContent(100_000, index));
  let requests = 0;
  const fail = (failure: 'rateLimited' | 'refused') => (): Behaviour => {
    requests += 1;
    return { kind: 'fail', failure };
  };
  let longestMs = 0;
  const worker = async () => {
    for (let next = blobs.shift(); next !== undefined; next = blobs.shift()) {
      const { content, blob } = next;
      const startedMs = clock.monotonicMs();
      const limited = makeFakeOrigin({ name: 'limited', content, clock, behaviour: fail('rateLimited') });
      const dead = makeFakeOrigin({ name: 'dead', content, clock, behaviour: fail('refused') });
      const fetched = fetcher.fetch({ blob, origins: [limited, dead], path: '/nowhere' });
      await t.rejects(fetched, { code: 'ImageUnavailable', message: /limited: .*dead: / });
      longestMs = Math.max(longestMs, clock.monotonicMs() - startedMs);
    }
  };
  await passTime(clock, Promise.all([worker(), worker(), worker()]));
  t.ok(longestMs < 90_000, `the longest took ${longestMs} ms`);
  t.ok(clock.monotonicMs() < 180_000, `all took ${clock.monotonicMs()} ms`);
  // Three begin before anything is known: five tries at each host. After that one try tells.
  t.ok(requests <= 3 * 2 * 5 + 17 * 2, `${requests} requests`);
});

t.test('an empty blob, and a digest that is none', async (t) => {
  const scene = makeScene(8);
  await t.rejects(scene.fetch([], { blob: { mediaType: '', digest: 'md5:00', size: 8 } }), {
    code: 'ImageUnavailable',
    message: /md5:00/,
  });
  await t.rejects(scene.fetch([]), { code: 'ImageUnavailable', message: /no origin/ });
  const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  t.strictSame(
    await scene.fetch([scene.origin({ name: 'a' })], { blob: { mediaType: '', digest: empty, size: 0 } }),
    [],
  );
});
