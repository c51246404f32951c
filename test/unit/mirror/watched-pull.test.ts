import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { PullOptions } from '../../../src/docker/types.js';
import { watchedPull } from '../../../src/mirror/watched-pull.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

/** A pull that the test drives by hand. */
function handPull() {
  let options: PullOptions = {};
  let end: (error?: Error) => void = () => {};
  const engine = {
    pullImage: (_: string, given: PullOptions = {}) => {
      options = given;
      return new Promise<void>((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve());
      });
    },
  };
  return {
    engine,
    say: (status: string, currentBytes = 0) => options.onProgress?.({ status, currentBytes, totalBytes: 100 }),
    end: (error?: Error) => end(error),
    get aborted() {
      return options.signal?.aborted ?? false;
    },
  };
}

function start(pull: ReturnType<typeof handPull>, signal?: AbortSignal) {
  const clock = makeManualClock();
  const seen: number[] = [];
  const result = watchedPull(pull.engine, 'm.example/etcd:1', {
    clock,
    stallMs: 1000,
    signal,
    onProgress: ({ currentBytes }) => seen.push(currentBytes),
  });
  result.catch(() => {});
  return { clock, seen, result };
}

t.test('a pull that moves is left alone', async (t) => {
  const pull = handPull();
  const { clock, seen, result } = start(pull);
  for (let bytes = 1; bytes <= 5; bytes += 1) {
    await clock.advanceAndRun(900);
    pull.say('Downloading', bytes);
  }
  pull.end();
  await result;
  t.same(seen, [1, 2, 3, 4, 5]);
  t.equal(clock.waiting, 0, 'nothing sleeps on');
});

t.test('silence is a timeout', async (t) => {
  const pull = handPull();
  const { clock, result } = start(pull);
  await clock.advanceAndRun(999);
  t.notOk(pull.aborted);
  await clock.advanceAndRun(1);
  await t.rejects(result, { code: 'Timeout', message: 'pull m.example/etcd:1: nothing came for 1 s' });
  t.ok(pull.aborted, 'the engine is told to stop');
});

t.test("the engine's countdown to its next try is no progress", async (t) => {
  const pull = handPull();
  const { clock, result } = start(pull);
  pull.say('Downloading', 1);
  for (const seconds of [5, 4, 3]) {
    await clock.advanceAndRun(400);
    pull.say(`Retrying in ${seconds} seconds`, 1);
  }
  await t.rejects(result, { code: 'Timeout', message: /nothing came for 1 s \(last: Retrying in \d seconds\)/ });
});

t.test("the engine's own failure comes through", async (t) => {
  const pull = handPull();
  const { clock, result } = start(pull);
  pull.end(new HyperupError('RegistryFailed', 'denied'));
  await t.rejects(result, { code: 'RegistryFailed' });
  t.equal(clock.waiting, 0);
});

t.test("the caller's abort reaches the engine", async (t) => {
  const pull = handPull();
  const controller = new AbortController();
  const { result } = start(pull, controller.signal);
  controller.abort();
  t.ok(pull.aborted);
  pull.end(new HyperupError('Aborted', 'interrupted'));
  await t.rejects(result, { code: 'Aborted' });
});
