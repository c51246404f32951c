import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { type Logger, silentLogger } from '../../../../src/base/logger.js';
import type { ContainerEvent } from '../../../../src/docker/runtime-types.js';
import { createPleg } from '../../../../src/kubelet/pleg/pleg.js';
import type { RuntimeContainer, RuntimePodStatus } from '../../../../src/kubelet/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const container = (id: string, state: RuntimeContainer['state']): RuntimeContainer => ({
  ...{ id, name: 'main', podUid: 'u', sandboxId: 's', attempt: 0, state, createdAtMs: 1, startedAtMs: 1 },
  ...{ finishedAtMs: 0, exitCode: 0, reason: '', message: '', image: '', imageId: '', hash: '', pid: 1 },
  ...{ logPath: '', tty: false, openStdin: false },
});

function setUp(t: Test) {
  const clock = makeManualClock();
  /** Containers by pod, as the engine has them. */
  const world = new Map<string, RuntimeContainer[]>();
  const asked: string[] = [];
  const touched: string[] = [];
  const changes: string[] = [];
  const warnings: string[] = [];
  const hung = new Set<string>();
  const faults: { list?: Error | undefined } = {};
  const digestOf = (uid: string) => (world.get(uid) ?? []).map(({ id, state }) => `${id}${state}`).join(' ');
  const statusOf = (uid: string) => {
    const containers = [...(world.get(uid) ?? [])];
    return { uid, name: uid, namespace: 'ns', sandboxes: [], containers, digest: digestOf(uid) };
  };
  const answer = async <T>(question: string, uid: string, status: T): Promise<T> => {
    asked.push(question);
    if (hung.has(uid)) await new Promise(() => {});
    return status;
  };
  let push: (event: ContainerEvent) => void = () => {};
  let connections = 0;
  let breakStream: () => void = () => {};
  let held: Promise<void> | undefined;
  let listed = 0;
  async function* events(signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    connections += 1;
    const queue: ContainerEvent[] = [];
    let wake = () => {};
    let broken = false;
    push = (event) => {
      queue.push(event);
      wake();
    };
    breakStream = () => {
      broken = true;
      wake();
    };
    signal.addEventListener('abort', () => breakStream());
    while (!broken) {
      const event = queue.shift();
      if (event) yield event;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    throw new HyperupError('EngineUnreachable', 'broken');
  }
  const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
  const pleg = createPleg({
    runtime: {
      async listPods() {
        listed += 1;
        if (faults.list) throw faults.list;
        const pods = [...world.keys()].map((uid) => ({
          ...{ uid, name: uid, namespace: 'ns', terminationGraceSeconds: undefined, running: true },
          ...statusOf(uid),
          status: (
            (status) => () =>
              answer(`${uid} of the list`, uid, status)
          )(statusOf(uid)),
        }));
        await held;
        return pods;
      },
      podStatus: (uid) => answer(uid, uid, statusOf(uid)),
      touch: (id) => void touched.push(id),
    },
    ...{ events, clock, logger, random: () => 0 },
    onChange: (uid: string, status: RuntimePodStatus) =>
      changes.push(`${uid}:${status.containers.map(({ id, state }) => `${id} ${state}`).join()}`),
  });
  t.teardown(() => pleg.stop());
  const settle = async () => {
    for (let turn = 0; turn < 3; turn += 1) await clock.advanceAndRun(0);
  };
  return {
    ...{ clock, world, asked, touched, changes, warnings, hung, faults, pleg, settle },
    push: (id: string, action: string, labels: Readonly<Record<string, string>> = {}) =>
      push({ id, action, labels: { 'io.kubernetes.pod.uid': 'u', ...labels }, timeMs: 0 }),
    breakStream: () => breakStream(),
    /** Lists are made, and not given before the returned function is called. */
    holdList: () => {
      let release = () => {};
      held = new Promise((resolve) => (release = resolve));
      return () => release();
    },
    connections: () => connections,
    lists: () => listed,
    relist: async () => {
      await clock.advanceAndRun(1000);
      await settle();
    },
  };
}

t.test('a relist asks only for pods that changed', async (t) => {
  const { world, asked, changes, pleg, settle, relist } = setUp(t);
  world.set('u', [container('a', 'running')]);
  world.set('v', [container('b', 'running')]);
  await pleg.start();
  await settle();
  t.strictSame(changes.splice(0), ['u:a running', 'v:b running']);
  asked.splice(0);
  await relist();
  t.strictSame(asked, [], 'nothing changed');
  world.set('u', [container('a', 'exited')]);
  await relist();
  t.strictSame(asked.splice(0), ['u of the list'], 'by the list that showed it');
  t.strictSame(changes.splice(0), ['u:a exited']);
  t.equal(pleg.status('u')?.containers[0]?.state, 'exited');
  t.strictSame(
    pleg.pods().map(({ uid }) => uid),
    ['u', 'v'],
  );
  world.delete('u');
  await relist();
  t.strictSame(changes.splice(0), ['u:']);
  await relist();
  t.equal(pleg.status('u'), undefined);
  t.strictSame(changes, []);
});

t.test('events hasten it, in bunches', async (t) => {
  const { clock, world, asked, touched, changes, pleg, settle, push } = setUp(t);
  world.set('u', [container('a', 'running')]);
  await pleg.start();
  await settle();
  asked.splice(0);
  changes.splice(0);
  world.set('u', [container('a', 'exited')]);
  push('a', 'exec_start: true');
  push('a', 'die');
  push('s', 'die');
  await settle();
  t.strictSame(asked, [], 'it waits for the rest of the bunch');
  await clock.advanceAndRun(10);
  await settle();
  t.strictSame(asked, ['u']);
  t.strictSame(touched, ['a', 's']);
  t.strictSame(changes, ['u:a exited']);
});

t.test('a start is left to whoever asks anyway, for a moment', async (t) => {
  const { clock, world, asked, pleg, settle, push } = setUp(t);
  await pleg.start();
  await settle();
  world.set('u', [container('a', 'running')]);
  push('s', 'start', { 'io.kubernetes.docker.type': 'podsandbox' });
  await clock.advanceAndRun(300);
  await settle();
  t.strictSame(asked.splice(0), [], 'a sandbox alone is no news');
  push('a', 'start');
  await settle();
  await pleg.refresh('u');
  await clock.advanceAndRun(200);
  await settle();
  t.strictSame(asked.splice(0), ['u'], 'asked after the event, and not again for it');
  push('a', 'start');
  await settle();
  await pleg.refresh('u');
  push('b', 'start');
  await settle();
  await clock.advanceAndRun(200);
  await settle();
  t.strictSame(asked.splice(0), ['u', 'u'], 'another event came after that');
  push('a', 'start');
  await settle();
  await clock.advanceAndRun(200);
  await settle();
  t.strictSame(asked.splice(0), ['u'], 'nobody else has asked');
  push('a', 'start');
  push('a', 'die');
  await settle();
  await clock.advanceAndRun(10);
  await settle();
  t.strictSame(asked.splice(0), ['u'], 'an end is not left waiting behind a start');
  await clock.advanceAndRun(200);
  await settle();
  t.strictSame(asked, []);
});

t.test('a quiet node is listed half as often, until something happens or may have been missed', async (t) => {
  const { clock, world, lists, pleg, settle, push, breakStream } = setUp(t);
  const listsIn = async (seconds: number) => {
    const before = lists();
    for (let passed = 0; passed < seconds; passed += 1) {
      await clock.advanceAndRun(1000);
      await settle();
    }
    return lists() - before;
  };
  world.set('u', [container('a', 'running')]);
  await pleg.start();
  await settle();
  t.equal(await listsIn(15), 15);
  t.equal(await listsIn(20), 10);
  push('a', 'start');
  await settle();
  await listsIn(1);
  t.equal(await listsIn(10), 10, 'an event');
  await listsIn(20);
  t.equal(await listsIn(10), 5);
  breakStream();
  await settle();
  await listsIn(1);
  t.equal(await listsIn(10), 10, 'a gap in the events');
});

t.test('a list never takes the place of what was asked since it began', async (t) => {
  const { clock, world, changes, pleg, settle, holdList } = setUp(t);
  world.set('u', [container('a', 'running')]);
  await pleg.start();
  await settle();
  const release = holdList();
  await clock.advanceAndRun(1000);
  world.set('u', [container('a', 'exited')]);
  await pleg.refresh('u');
  changes.splice(0);
  release();
  await settle();
  t.equal(pleg.status('u')?.containers[0]?.state, 'exited');
  t.strictSame(changes, []);
});

t.test('one pod that hangs holds no other', async (t) => {
  const { clock, world, hung, asked, pleg, settle, relist } = setUp(t);
  world.set('u', [container('a', 'running')]);
  world.set('v', [container('b', 'running')]);
  hung.add('u');
  await pleg.start();
  await settle();
  t.equal(pleg.status('u'), undefined);
  t.equal(pleg.status('v')?.containers.length, 1);
  hung.clear();
  await relist();
  t.equal(asked.filter((question) => question.startsWith('u')).length, 1, 'one question at a time');
  await clock.advanceAndRun(120_000);
  await settle();
  t.equal(pleg.status('u')?.containers.length, 1, 'until it has waited too long');
});

t.test('a refresh is never older than its call', async (t) => {
  const { world, pleg } = setUp(t);
  world.set('u', [container('a', 'created')]);
  const first = pleg.refresh('u');
  world.set('u', [container('a', 'running')]);
  const [before, second, third] = await Promise.all([first, pleg.refresh('u'), pleg.refresh('u')]);
  t.equal(before.containers[0]?.state, 'created');
  t.equal(second.containers[0]?.state, 'running');
  t.equal(second, third, 'who asks meanwhile shares the next');
  t.equal(pleg.status('u')?.containers[0]?.state, 'running');
});

t.test('while the engine is away the last known stays', async (t) => {
  const { clock, world, faults, changes, warnings, pleg, settle, relist, breakStream, connections } = setUp(t);
  world.set('u', [container('a', 'running')]);
  await pleg.start();
  await settle();
  changes.splice(0);
  faults.list = new Error('gone');
  world.clear();
  breakStream();
  for (let round = 0; round < 3; round += 1) await relist();
  t.equal(warnings.length, 1, 'said once');
  t.strictSame(changes, []);
  t.equal(pleg.status('u')?.containers.length, 1);
  t.ok(connections() > 1, 'events were asked for anew');
  t.ok(pleg.healthy());
  clock.advance(180_000);
  t.notOk(pleg.healthy());
  faults.list = undefined;
  await settle();
  await relist();
  t.ok(pleg.healthy());
  t.strictSame(changes, ['u:']);
});
