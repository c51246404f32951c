import t from 'tap';
import { hold, release } from '../../../../src/base/block-pool.js';
import { isHyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { createBlobFetcher } from '../../../../src/mirror/fetch/blob-fetcher.js';
import type { FailureKind } from '../../../../src/registry/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeRandom } from '../../../faults/fault-schedule.js';
import { type Behaviour, makeContent, makeFakeOrigin, makeMemoryPart, passTime } from './fake-origin.js';

const schedules = 300;
const size = 400_000;
const failures: readonly FailureKind[] = ['refused', 'rateLimited', 'broken', 'status', 'timeout', 'login', 'notFound'];
const { content, blob } = makeContent(size);

t.test(`${schedules} random schedules: the right bytes or a clear error, none hangs`, async (t) => {
  const ends = { right: 0, error: 0 };
  for (let seed = 1; seed <= schedules; seed += 1) {
    const end = await runSchedule(seed);
    if (end === 'right' || end === 'error') ends[end] += 1;
    else t.fail(`seed ${seed}: ${end}`);
  }
  t.comment(JSON.stringify(ends));
  t.ok(ends.right > schedules / 2, 'most end well');
  t.ok(ends.error > 0, "and some can't");
});

async function runSchedule(seed: number): Promise<string> {
  const random = makeRandom(seed);
  const clock = makeManualClock();
  const found = random() < 0.3 ? [{ start: 1000, end: Math.floor(2000 + random() * 100_000) }] : [];
  const part = makeMemoryPart(size, found, random() < 0.8 ? content : undefined);
  const fetcher = createBlobFetcher({
    clock,
    logger: silentLogger,
    random,
    limits: { minSegment: 8 * 1024, silenceMs: 3000, softSilenceMs: 600 },
    openStore: async () => part,
  });
  const origins = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, index) => {
    const badness = random() ** 1.5;
    return makeFakeOrigin({
      name: `origin-${index}`,
      content,
      clock,
      rate: 20_000 * 100 ** random(),
      latencyMs: random() * 400,
      ignoresRange: random() < 0.15,
      behaviour: () => (random() < badness ? randomBehaviour(random) : { kind: 'serve' }),
    });
  });
  let told = 0;
  let prefix = Buffer.alloc(0);
  const streams = random() < 0.4;
  let beginnings = 0;
  const takesLong = random() < 0.5;
  const slownessMs = 10 ** (3 * random());
  try {
    await passTime(
      clock,
      fetcher.fetch({
        blob,
        origins,
        path: '/nowhere',
        onBytes: (bytes) => {
          told += bytes;
        },
        ...(streams
          ? {
              onPrefix: takesLong
                ? async (chunk: Buffer) => {
                    hold(chunk);
                    const mine = beginnings;
                    await clock.sleep(Math.ceil(slownessMs * random()));
                    if (mine === beginnings) prefix = Buffer.concat([prefix, chunk]);
                    release(chunk);
                  }
                : (chunk: Buffer) => {
                    prefix = Buffer.concat([prefix, chunk]);
                  },
              onRestart: () => {
                beginnings += 1;
                prefix = Buffer.alloc(0);
              },
            }
          : {}),
      }),
      900_000,
    );
  } catch (error) {
    if (part.completed) return 'failed though it was completed';
    const clear = isHyperupError(error, 'ImageUnavailable') || isHyperupError(error, 'DigestMismatch');
    return clear && origins.every((origin) => error.message.includes(origin.name)) ? 'error' : String(error);
  }
  await passTime(clock, clock.sleep(2000));
  if (origins.some((origin) => origin.openNow > 0)) return 'a connection was left open';
  if (!part.content.equals(content)) return 'resolved with wrong content';
  if (streams && !prefix.equals(content)) return 'streamed wrong content';
  return told >= size ? 'right' : `told of ${told} bytes`;
}

function randomBehaviour(random: () => number): Behaviour {
  const after = Math.floor(random() ** 2 * size);
  const options: readonly Behaviour[] = [
    { kind: 'fail', failure: failures[Math.floor(random() * failures.length)] ?? 'broken' },
    { kind: 'hang' },
    { kind: 'error', after },
    { kind: 'short', after },
    { kind: 'stall', after },
    { kind: 'trickle', after },
    { kind: 'flip', at: Math.floor(random() * size) },
    { kind: 'wrongSize' },
    { kind: 'wrongStart' },
    { kind: 'longer' },
  ];
  return options[Math.floor(random() * options.length)] ?? { kind: 'serve' };
}
