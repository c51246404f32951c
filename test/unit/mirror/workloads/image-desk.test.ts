import t from 'tap';
import { type BringOutcome, makeImageDesk } from '../../../../src/mirror/workloads/image-desk.js';
import type { ImageWait, WaitRemedy } from '../../../../src/mirror/workloads/pod-waits.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const good: BringOutcome = { ok: true, from: 'mirror m.test', changed: true, sizeBytes: 5 };
const present: BringOutcome = { ...good, changed: false };
const bad: BringOutcome = { ok: false, message: 'no source has it', reasons: ['mirror m.test: failed: gone'] };

function podOf(name: string) {
  return { namespace: 'default', name, uid: `uid of ${name}` };
}

function waitFor(reference: string, remedy: WaitRemedy = 'fetch'): ImageWait {
  return { container: 'c', image: reference, reference, remedy };
}

/** A desk on a clock that stands; fetches end when the test says how. */
function makeScene(concurrency?: number) {
  const clock = makeManualClock();
  const stop = new AbortController();
  const running = new Map<string, (outcome: BringOutcome | Error) => void>();
  const begun: string[] = [];
  const arrived: string[] = [];
  const outcomes: string[] = [];
  const refused: string[] = [];
  const desk = makeImageDesk({
    bring: (reference) =>
      new Promise((resolve, reject) => {
        begun.push(reference);
        running.set(reference, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
      }),
    onArrival: async (reference, pods) => void arrived.push(`${reference}: ${pods.map(({ name }) => name).join(' ')}`),
    onOutcome: (reference, outcome) =>
      void outcomes.push(`${reference} ${outcome.ok ? outcome.from : outcome.message}`),
    onRefusal: (pod, wait) => void refused.push(`${pod.name} ${wait.remedy}`),
    clock,
    signal: stop.signal,
    random: () => 0,
    concurrency,
  });
  const settle = () => clock.advanceAndRun(0);
  const end = async (reference: string, outcome: BringOutcome | Error) => {
    await settle();
    const finish = running.get(reference);
    if (!finish) throw new Error(`${reference} is not being fetched`);
    running.delete(reference);
    finish(outcome);
    await settle();
  };
  return { clock, stop, desk, begun, arrived, outcomes, refused, end, settle };
}

t.test('several pods that want one image: one fetch, and all of them go on', async (t) => {
  const { desk, begun, arrived, outcomes, end } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1')]);
  desk.see(podOf('b'), [waitFor('x:1')]);
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', good);
  t.same(begun, ['x:1']);
  t.same(arrived, ['x:1: a b']);
  t.same(outcomes, ['x:1 mirror m.test']);
});

t.test('no more at once than allowed, the others in turn', async (t) => {
  const { desk, begun, end, settle } = makeScene(2);
  for (const name of ['x:1', 'y:1', 'z:1']) desk.see(podOf(name), [waitFor(name)]);
  await settle();
  t.same(begun, ['x:1', 'y:1']);
  await end('y:1', bad);
  t.same(begun, ['x:1', 'y:1', 'z:1']);
});

t.test('a failure is told once and tried again, ever later, until nobody wants the image', async (t) => {
  const { desk, clock, begun, arrived, outcomes, end, settle } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', bad);
  for (const waitMs of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
    const before = begun.length;
    desk.see(podOf('a'), [waitFor('x:1')]);
    await clock.advanceAndRun(waitMs - 1);
    t.equal(begun.length, before, `nothing within ${waitMs} ms, whatever the pod says`);
    await clock.advanceAndRun(1);
    t.equal(begun.length, before + 1, `again after ${waitMs} ms`);
    await end('x:1', bad);
  }
  t.same(outcomes, ['x:1 no source has it'], 'told once');
  t.same(arrived, []);
  const before = begun.length;
  desk.see(podOf('a'), []);
  await clock.advanceAndRun(300_000);
  t.equal(begun.length, before, 'nobody wants it any more');
  desk.see(podOf('b'), [waitFor('x:1')]);
  await settle();
  await end('x:1', good);
  t.same(outcomes.at(-1), 'x:1 mirror m.test', 'a later one is served');
});

t.test('a new pod does not end the back-off', async (t) => {
  const { desk, clock, begun, outcomes, end, settle } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', bad);
  desk.forget(podOf('a').uid);
  desk.see(podOf('b'), [waitFor('x:1')]);
  await settle();
  t.equal(begun.length, 1);
  await clock.advanceAndRun(10_000);
  t.equal(begun.length, 2);
  await end('x:1', bad);
  t.equal(outcomes.length, 1, 'nor is it told anew');
});

t.test('what was fetched is looked after until the pod goes on, quietly', async (t) => {
  const { desk, clock, arrived, outcomes, begun, end } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', good);
  await clock.advanceAndRun(10_000);
  await end('x:1', present);
  t.equal(arrived.length, 2, 'the kubelet is told again');
  t.equal(outcomes.length, 1, 'the user is not');
  desk.see(podOf('a'), []);
  await clock.advanceAndRun(20_000);
  t.equal(begun.length, 2, 'then no more');
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', good);
  t.equal(outcomes.length, 2, 'one that is lost again is brought again at once');
});

t.test('waits that no image ends are told once a container', async (t) => {
  const { desk, begun, refused, settle } = makeScene();
  for (const remedy of ['always', 'never', 'digest'] as const) {
    desk.see(podOf(remedy), [waitFor('x:1', remedy)]);
    desk.see(podOf(remedy), []);
    desk.see(podOf(remedy), [waitFor('x:1', remedy)]);
  }
  await settle();
  t.same(refused, ['always always', 'never never', 'digest digest']);
  t.same(begun, []);
  desk.forget(podOf('always').uid);
  t.same(desk.known(), [podOf('never').uid, podOf('digest').uid], 'what is gone is forgotten');
});

t.test('a fetch that throws is a failure like others', async (t) => {
  const { desk, outcomes, end } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1')]);
  await end('x:1', new Error('the disk is full'));
  t.same(outcomes, ['x:1 the disk is full']);
});

t.test('tried: once every image was tried, whatever came of it', async (t) => {
  const { desk, end, settle } = makeScene();
  desk.see(podOf('a'), [waitFor('x:1'), waitFor('y:1'), waitFor('z:1', 'always')]);
  let over = false;
  void desk.tried().then(() => {
    over = true;
  });
  await end('x:1', good);
  t.notOk(over);
  await end('y:1', bad);
  await settle();
  t.ok(over);
});

t.test('the signal ends it all, those that wait for their turn too', async (t) => {
  const { desk, stop, begun, outcomes, end, settle } = makeScene(1);
  desk.see(podOf('a'), [waitFor('x:1')]);
  desk.see(podOf('b'), [waitFor('y:1')]);
  const tried = desk.tried();
  await settle();
  stop.abort();
  await t.rejects(tried, { code: 'Aborted' });
  const ended = desk.ended();
  await end('x:1', new Error('aborted'));
  await ended;
  desk.see(podOf('c'), [waitFor('z:1')]);
  t.same(begun, ['x:1'], 'nothing begins any more');
  t.same(outcomes, []);
});
