import t from 'tap';
import { withDeadline } from '../../../src/docker/deadline.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

t.test('a result in time is given, and the clock is let go', async (test) => {
  const clock = makeManualClock();
  test.equal(await withDeadline('ask', { clock, timeoutMs: 100 }, async () => 7), 7);
  test.equal(clock.waiting, 0);
});

t.test('the limit settles it even where the work does not listen', async (test) => {
  const clock = makeManualClock();
  let seen: AbortSignal | undefined;
  const work = withDeadline('ask the engine', { clock, timeoutMs: 100 }, (signal) => {
    seen = signal;
    return new Promise(() => {});
  });
  clock.advance(99);
  clock.advance(1);
  await test.rejects(work, { code: 'Timeout', message: 'ask the engine: no answer within 100 ms' });
  test.ok(seen?.aborted, 'the work was told');
});

t.test('an abort outranks what the work makes of it', async (test) => {
  const clock = makeManualClock();
  const controller = new AbortController();
  const options = { clock, timeoutMs: undefined, signal: controller.signal };
  const work = withDeadline('ask', options, async (signal) => {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('socket hang up'))));
  });
  controller.abort();
  await test.rejects(work, { code: 'Aborted' });
  let begun = false;
  await test.rejects(
    withDeadline('ask', options, async () => {
      begun = true;
    }),
    { code: 'Aborted' },
  );
  test.notOk(begun, 'an aborted signal begins nothing');
});

t.test('the failure of the work is passed on as it is', async (test) => {
  const failure = new Error('why');
  await test.rejects(
    withDeadline('ask', { clock: makeManualClock(), timeoutMs: 9 }, () => Promise.reject(failure)),
    failure,
  );
});
