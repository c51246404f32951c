import t from 'tap';
import { deleted, makePod, makeWorld } from './worker-fakes.js';

const preStop = { lifecycle: { preStop: { exec: { command: ['x'] } } } };

async function running(spec: Parameters<typeof makePod>[1] = {}) {
  const made = makeWorld();
  const pod = makePod('p', spec);
  made.workers.update(pod);
  await made.world.settle();
  made.world.calls.length = 0;
  made.world.events.length = 0;
  return { ...made, pod };
}

t.test('a graceful deletion from its first word to its last', async (t) => {
  const { world, workers, pod } = await running();
  world.reported = false;
  workers.update(deleted(pod, 30));
  await world.settle();
  t.same(world.calls, ['stop c 30', 'stopSandbox']);
  t.same(world.events, ['Killing: Stopping container c']);
  t.match(world.statuses.get('p'), {
    phase: 'Failed',
    containerStatuses: [{ state: { terminated: { exitCode: 137 } } }],
  });
  t.same(world.tornDown, ['p']);
  t.same(world.deletes, [], 'not before the API has the status');
  world.reported = true;
  await world.advance(1);
  t.same(world.deletes, ['p']);
  t.notOk(world.calls.includes('removePod p'), 'its logs stay until the object is gone');
  workers.remove('p');
  await world.settle();
  t.equal(world.calls.at(-1), 'removePod p');
  t.notOk(workers.isKnown('p'));
  t.equal(world.statuses.size, 0);
  t.equal(world.clock.waiting, 0);
});

t.test('a second deletion with a shorter grace shortens the stop that runs', async (t) => {
  const { world, workers, pod } = await running();
  world.stubborn.set('c', 1000);
  workers.update(deleted(pod, 30));
  await world.advance(5);
  workers.update(deleted(pod, 3));
  await world.settle();
  t.same(world.calls, ['stop c 30', 'stop c 3']);
  await world.advance(3);
  t.equal(world.container('p', 'c')?.state, 'exited');
  await workers.stop();
});

t.test('a force-deleted pod is stopped with its grace and cleaned up, and no status is written', async (t) => {
  const { world, workers } = await running({ terminationGracePeriodSeconds: 0 });
  const before = world.history.length;
  workers.remove('p');
  await world.settle();
  t.same(world.calls, ['stop c 2', 'stopSandbox', 'removePod p']);
  t.equal(world.history.length, before);
  t.same(world.deletes, []);
  t.notOk(workers.isKnown('p'));
});

t.test('a deletion ends a sync that hangs on an image', async (t) => {
  const { world, workers } = makeWorld(() => ({
    images: {
      ensureImage: (_pod, _container, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    },
  }));
  const pod = makePod('p');
  workers.update(pod);
  await world.settle();
  workers.update(deleted(pod, 30));
  await world.settle();
  t.same(world.calls, ['sandbox p 0', 'stopSandbox']);
  t.same(world.deletes, ['p']);
  await workers.stop();
});

t.test('preStop takes of the grace, at least 2 s are left, and its failure holds nothing', async (t) => {
  for (const { name, hookSeconds, graceSeconds, want } of [
    { name: 'short', hookSeconds: 4, graceSeconds: 30, want: 'stop c 26' },
    { name: 'nearly all', hookSeconds: 29, graceSeconds: 30, want: 'stop c 2' },
    { name: 'too long', hookSeconds: 100, graceSeconds: 10, want: 'stop c 2' },
  ]) {
    const { world, workers, pod } = await running({ containers: [{ name: 'c', ...preStop }] });
    world.hook = async (_hook, _container, signal) => {
      await world.clock.sleep(hookSeconds * 1000, signal);
      throw new Error('exit 1');
    };
    workers.update(deleted(pod, graceSeconds));
    await world.settle();
    t.same(world.calls, [], name);
    await world.advance(Math.min(hookSeconds, graceSeconds));
    t.equal(world.calls[0], want, name);
    t.equal(world.events.includes('FailedPreStopHook: exit 1'), hookSeconds < graceSeconds, name);
    await workers.stop();
  }
});

t.test('all containers at once, sidecars after them from the last', async (t) => {
  const { world, workers, pod } = await running({
    initContainers: [
      { name: 's1', restartPolicy: 'Always' },
      { name: 's2', restartPolicy: 'Always' },
    ],
    containers: [{ name: 'a' }, { name: 'b' }],
  });
  for (const name of ['a', 'b']) world.stubborn.set(name, 5);
  workers.update(deleted(pod, 30));
  await world.settle();
  t.same(world.calls, ['stop a 30', 'stop b 30'].reverse());
  await world.advance(5);
  t.same(world.calls.slice(2), ['stop s2 25', 'stop s1 25', 'stopSandbox']);
  await workers.stop();
});

t.test('once it is to end a pod is never synced again', async (t) => {
  const { world, workers, pod } = await running();
  world.stubborn.set('c', 20);
  workers.update(deleted(pod, 30));
  await world.settle();
  workers.update(pod);
  workers.wake('p', 'pleg');
  await world.advance(20);
  t.notOk(world.calls.some((call) => call.startsWith('start')));
  t.ok(workers.isTerminated('p'));
  await workers.stop();
});

t.test('an eviction: its grace as it is, Failed once it has stopped, and the object stays', async (t) => {
  const { world, workers } = await running();
  world.stubborn.set('c', 1);
  workers.evict('p', { graceSeconds: 1, reason: 'Evicted', message: 'low' });
  await world.settle();
  t.same(world.calls, ['stop c 1']);
  t.equal(world.statuses.get('p')?.phase, 'Running');
  await world.advance(1);
  t.match(world.statuses.get('p'), { phase: 'Failed', reason: 'Evicted' });
  t.same(world.deletes, []);
  t.ok(workers.isFinished('p'));
  await workers.stop();
});

t.test('a phase that somebody else has made terminal ends the pod', async (t) => {
  const { world, workers, pod } = await running();
  workers.update({ ...pod, status: { phase: 'Failed' } });
  world.statuses.set('p', { phase: 'Failed' });
  await world.settle();
  t.same(world.calls, ['stop c 30', 'stopSandbox']);
  await workers.stop();
});

t.test('an engine that can’t stop a container is asked again', async (t) => {
  let fails = true;
  const { world, workers } = makeWorld((world) => {
    const { runtime } = world.options();
    return {
      runtime: {
        ...runtime,
        stopContainer: async (id, grace) => {
          if (fails) throw new Error('busy');
          await runtime.stopContainer(id, grace);
        },
      },
    };
  });
  const pod = makePod('p');
  workers.update(pod);
  await world.settle();
  workers.update(deleted(pod, 30));
  await world.settle();
  t.ok(world.events.includes('FailedKillPod: error killing pod: busy'));
  t.notOk(workers.isTerminated('p'));
  fails = false;
  await world.advance(10);
  t.same(world.deletes, ['p']);
  await workers.stop();
});

t.test('an orphan is stopped with the grace of its labels and removed', async (t) => {
  const { world, workers } = await running();
  const left = makeWorld();
  left.world.pods.set('p', world.pods.get('p') ?? { sandboxes: [], containers: [] });
  const summary = { uid: 'p', name: 'p', namespace: 'ns', running: true, terminationGraceSeconds: 9 };
  left.workers.killOrphan(summary);
  left.workers.killOrphan(summary);
  await left.world.settle();
  t.same(left.world.calls, ['stop c 9', 'stopSandbox', 'removePod p']);
  t.same(left.world.history, []);
  t.notOk(left.workers.isKnown('p'));
  await workers.stop();
});

t.test('a static pod that comes back while it is removed starts anew', async (t) => {
  const { world, workers, pod } = await running();
  world.stubborn.set('c', 5);
  workers.remove('p');
  await world.settle();
  workers.update(pod);
  await world.advance(5);
  t.same(world.calls, ['stop c 30', 'stopSandbox', 'removePod p', 'sandbox p 0', 'start c 0']);
  t.equal(world.statuses.get('p')?.phase, 'Running');
  await workers.stop();
});
