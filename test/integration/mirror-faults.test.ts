import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { isHyperupError, messageOf } from '../../src/base/errors.js';
import type { Descriptor } from '../../src/registry/types.js';
import { pushBlobSet } from '../faults/blob-set.js';
import { startFaultProxy } from '../faults/fault-proxy.js';
import { type Fault, faultKinds, makeFault, makeRandom, randomSchedule } from '../faults/fault-schedule.js';
import { digestOfFile, makeFetchScene } from '../faults/fetch-scene.js';
import { startRegistry } from '../fixtures/registry.js';

const isFull = process.env['HYPERUP_FAULTS'] === 'full';
/** 300 MB in 20 blobs, 500 times over: that takes its time. */
const set = isFull
  ? { schedules: Number(process.env['HYPERUP_FAULTS_SCHEDULES'] ?? 500), sizes: sizesOf(300e6, 20), atOnce: 6 }
  : { schedules: 24, sizes: sizesOf(12e6, 6), atOnce: 8 };
const firstSeed = Number(process.env['HYPERUP_FAULTS_SEED'] ?? 1);
/** No schedule has so much to wait for. */
const hangMs = 240_000;
const path = 'faults/set';

t.setTimeout(isFull ? 4 * 3600_000 : 300_000);

const registry = await startRegistry();
const folder = await mkdtemp(join(tmpdir(), 'hyperup-faults-'));
t.teardown(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

/** From small to large, as an image's blobs are. */
function sizesOf(total: number, count: number): readonly number[] {
  const weights = Array.from({ length: count }, (_, index) => (index + 1) ** 2);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => Math.round((total * weight) / sum));
}

interface Outcome {
  readonly right: number;
  readonly errors: readonly string[];
  readonly faults: readonly string[];
}

/** Brings the set in through mirrors with those faults, a few blobs at once. */
async function runSet(
  blobs: readonly Descriptor[],
  mirrors: readonly ((request: number) => Fault)[],
  random: () => number,
): Promise<Outcome> {
  const proxies = await Promise.all(mirrors.map((faultFor) => startFaultProxy({ target: registry.host, faultFor })));
  const scene = makeFetchScene(
    proxies.map((proxy) => proxy.host),
    path,
    { random, sync: false, limits: { silenceMs: 1_500, softSilenceMs: 400, minSegment: 256 * 1024 } },
    1_500,
  );
  const target = await mkdtemp(join(folder, 'run-'));
  const faults: string[] = [];
  const errors: string[] = [];
  let right = 0;
  const queue = [...blobs];
  const worker = async () => {
    for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
      const file = join(target, blob.digest.slice(7));
      const stop = new AbortController();
      const limit = delay(hangMs, undefined, { signal: stop.signal }).then(
        () => 'hangs' as const,
        () => 'over' as const,
      );
      try {
        const fetched = scene.fetcher.fetch({ blob, origins: scene.origins, path: file });
        if ((await Promise.race([fetched, limit])) === 'hangs') faults.push(`${blob.digest} hangs`);
        else if ((await digestOfFile(file)) !== blob.digest) faults.push(`${blob.digest} is wrong`);
        else right += 1;
      } catch (error) {
        errors.push(messageOf(error));
        const clear = isHyperupError(error, 'ImageUnavailable') || isHyperupError(error, 'DigestMismatch');
        if (!clear || !proxies.every((proxy) => messageOf(error).includes(proxy.host))) {
          faults.push(`no clear error: ${String(error)}`);
        }
        if ((await readdir(target)).includes(blob.digest.slice(7))) faults.push(`${blob.digest} failed and is there`);
      } finally {
        stop.abort();
      }
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  await scene.close();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await rm(target, { recursive: true, force: true });
  return { right, errors, faults };
}

const blobs = await pushBlobSet({ host: registry.host, path, sizes: set.sizes, seed: 1 });

t.test('one mirror with one fault throughout, one that is good', async (t) => {
  const random = makeRandom(1);
  await Promise.all(
    faultKinds.map(async (kind) => {
      const mirrors = [() => makeFault(kind, random), (): Fault => ({ kind: 'none' })];
      const outcome = await runSet(blobs.slice(0, 4), mirrors, random);
      t.strictSame([outcome.faults, outcome.errors, outcome.right], [[], [], 4], kind);
    }),
  );
});

t.test('each fault once, on an only mirror', async (t) => {
  const random = makeRandom(2);
  // A lie isn't asked for twice: there the error is the right end.
  const bearable = faultKinds.filter((kind) => kind !== 'flip' && kind !== 'loginPage');
  await Promise.all(
    bearable.map(async (kind) => {
      const once = (request: number): Fault => (request === 0 ? makeFault(kind, random) : { kind: 'none' });
      const outcome = await runSet(blobs.slice(2, 4), [once], random);
      t.strictSame([outcome.faults, outcome.errors, outcome.right], [[], [], 2], kind);
    }),
  );
});

t.test(
  `${set.schedules} random schedules over ${Math.round(set.sizes.reduce((a, b) => a + b) / 1e6)} MB`,
  async (t) => {
    const began = performance.now();
    const seeds = Array.from({ length: set.schedules }, (_, index) => firstSeed + index);
    const totals = { right: 0, errors: 0, whole: 0 };
    const worker = async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const random = makeRandom(seed);
        const mirrors = Array.from({ length: 1 + Math.floor(random() * 3) }, () => randomSchedule(random, 200));
        const outcome = await runSet(blobs, mirrors, random);
        totals.right += outcome.right;
        totals.errors += outcome.errors.length;
        if (outcome.errors.length === 0) totals.whole += 1;
        t.strictSame(outcome.faults, [], `seed ${seed}`);
      }
    };
    await Promise.all(Array.from({ length: set.atOnce }, worker));
    t.comment(`${JSON.stringify(totals)} in ${Math.round((performance.now() - began) / 1000)} s`);
    t.ok(totals.whole > set.schedules / 3, `${totals.whole} of ${set.schedules} sets came whole`);
  },
);
