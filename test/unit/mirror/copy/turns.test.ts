import t from 'tap';
import { makeTurns, type Turn } from '../../../../src/mirror/copy/turns.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const { signal } = new AbortController();
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Takes a turn for each size; says which have begun, and has the turn of each. */
function scene(sizes: readonly number[]) {
  const clock = makeManualClock();
  const turns = makeTurns(clock);
  const begun: number[] = [];
  const turnOf = new Map<number, Turn>();
  for (const bytes of sizes) {
    turns.take(bytes, signal).then(
      (turn) => {
        begun.push(bytes);
        turnOf.set(bytes, turn);
      },
      () => {},
    );
  }
  return { clock, turns, begun, turnOf };
}

t.test('two at once, of those that wait the largest first', async (t) => {
  const { begun, turnOf } = scene([5, 1, 3, 9, 7]);
  await settle();
  t.same(begun, [5, 1], 'who finds room begins');
  turnOf.get(1)?.leave();
  turnOf.get(1)?.leave();
  await settle();
  t.same(begun, [5, 1, 9]);
  turnOf.get(5)?.leave();
  turnOf.get(9)?.leave();
  await settle();
  t.same(begun, [5, 1, 9, 7, 3]);
});

t.test('where the first bytes are long in coming all begin', async (t) => {
  const { clock, begun, turnOf } = scene([1, 2, 3, 4]);
  await settle();
  turnOf.get(1)?.moved();
  clock.advance(249);
  await settle();
  t.same(begun, [1, 2]);
  clock.advance(1);
  await settle();
  t.same(begun, [1, 2, 4, 3], 'nothing of the second has come');
});

t.test('where they come soon it is two at a time, until somebody has waited long', async (t) => {
  const { clock, begun, turnOf } = scene([1, 2, 3]);
  await settle();
  for (const bytes of [1, 2]) turnOf.get(bytes)?.moved();
  clock.advance(499);
  await settle();
  t.same(begun, [1, 2]);
  clock.advance(1);
  await settle();
  t.same(begun, [1, 2, 3]);
});

t.test('an end while waiting, and before', async (t) => {
  const { turns, turnOf, begun } = scene([1, 2]);
  await settle();
  const stop = new AbortController();
  const waiting = turns.take(3, stop.signal);
  const reason = new Error('Ctrl-C');
  stop.abort(reason);
  await t.rejects(waiting, reason);
  await t.rejects(turns.take(4, stop.signal), reason);
  turnOf.get(1)?.leave();
  await settle();
  t.same(begun, [1, 2]);
  t.type((await turns.take(5, signal)).leave, 'function', 'who left is not waited for');
});
