import t from 'tap';
import { makeTurns } from '../../../../src/mirror/copy/turns.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const { signal } = new AbortController();
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Takes a turn for each size; says which have begun, and has the way to end each. */
function scene(sizes: readonly number[]) {
  const clock = makeManualClock();
  const turns = makeTurns(clock);
  const begun: number[] = [];
  const leave = new Map<number, () => void>();
  for (const bytes of sizes) {
    turns.take(bytes, signal).then(
      (done) => {
        begun.push(bytes);
        leave.set(bytes, done);
      },
      () => {},
    );
  }
  return { clock, turns, begun, leave };
}

t.test('two at once, of those that wait the largest first', async (t) => {
  const { begun, leave } = scene([5, 1, 3, 9, 7]);
  await settle();
  t.same(begun, [5, 1], 'who finds room begins');
  leave.get(1)?.();
  await settle();
  t.same(begun, [5, 1, 9]);
  leave.get(5)?.();
  leave.get(9)?.();
  await settle();
  t.same(begun, [5, 1, 9, 7, 3]);
});

t.test('who has waited long enough begins beside the others', async (t) => {
  const { clock, begun, leave } = scene([1, 2, 3]);
  await settle();
  clock.advance(499);
  await settle();
  t.same(begun, [1, 2]);
  clock.advance(1);
  await settle();
  t.same(begun, [1, 2, 3]);
  leave.get(1)?.();
  await settle();
  t.same(begun, [1, 2, 3], 'two are still at it');
});

t.test('an end while waiting, and before', async (t) => {
  const { turns, leave, begun } = scene([1, 2]);
  await settle();
  const stop = new AbortController();
  const waiting = turns.take(3, stop.signal);
  const reason = new Error('Ctrl-C');
  stop.abort(reason);
  await t.rejects(waiting, reason);
  await t.rejects(turns.take(4, stop.signal), reason);
  leave.get(1)?.();
  await settle();
  t.same(begun, [1, 2]);
  const next = await turns.take(5, signal);
  t.type(next, 'function', 'who left is not waited for');
});
