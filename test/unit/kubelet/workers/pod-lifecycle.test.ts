import t from 'tap';
import { PodFailure } from '../../../../src/kubelet/types.js';
import { makeInstance, makePod, makeSandbox, makeWorld, START_MS } from './worker-fakes.js';

const forever = new Promise<void>(() => {});

t.test('a new pod comes up in one pass, with two statuses', async (t) => {
  const { world, workers } = makeWorld();
  workers.update(makePod('p', { containers: [{ name: 'a' }, { name: 'b' }] }));
  await world.settle();
  t.same(world.calls, ['sandbox p 0', 'start a 0', 'start b 0']);
  const phases = world.history.map(({ status }) => [status.phase, status.containerStatuses?.map(({ ready }) => ready)]);
  t.same(phases, [
    ['Pending', [false, false]],
    ['Running', [true, true]],
  ]);
  t.same(world.events, [
    'Created: Created container a',
    'Started: Started container a',
    'Created: Created container b',
    'Started: Started container b',
  ]);
  t.ok(workers.isKnown('p'));
  t.notOk(workers.isTerminated('p'));
  await workers.stop();
  t.equal(world.clock.waiting, 0, 'no timer runs on');
});

t.test('what the kubelet wrote itself makes no sync, what others changed does', async (t) => {
  const { world, workers } = makeWorld();
  let syncs = 0;
  const counted = makeWorld(() => ({
    canRun: () => {
      syncs += 1;
      return { ok: true };
    },
  }));
  const pod = makePod('p');
  counted.workers.update(pod);
  await world.settle();
  const before = syncs;
  counted.workers.update({ ...pod, status: { phase: 'Running' }, metadata: { ...pod.metadata, resourceVersion: '2' } });
  await world.settle();
  t.equal(syncs, before);
  counted.workers.update({ ...pod, metadata: { ...pod.metadata, labels: { a: 'b' } } });
  await world.settle();
  t.equal(syncs, before + 1);
  await Promise.all([workers.stop(), counted.workers.stop()]);
});

t.test('resyncs after a minute, and sooner after a failure', async (t) => {
  let fails = true;
  let mounts = 0;
  const { world, workers } = makeWorld((world) => ({
    volumes: {
      ...world.options().volumes,
      ensureMounted: async () => {
        mounts += 1;
        if (fails) throw new PodFailure('FailedMount', 'no such secret');
      },
    },
  }));
  workers.update(makePod('p'));
  await world.settle();
  t.same(world.calls, []);
  t.same(world.events, ['FailedMount: no such secret']);
  fails = false;
  await world.advance(9);
  t.equal(mounts, 1);
  await world.advance(1);
  t.equal(mounts, 2);
  t.same(world.calls, ['sandbox p 0', 'start c 0']);
  await world.advance(59);
  t.equal(mounts, 2);
  await world.advance(1);
  t.equal(mounts, 3);
  await workers.stop();
});

t.test('a crash loop waits 0, 10, 20, 40 seconds, to the millisecond, and shows it', async (t) => {
  const { world, workers, clock } = makeWorld();
  workers.update(makePod('p'));
  await world.settle();
  const delays: number[] = [];
  for (let crash = 0; crash < 4; crash += 1) {
    world.end('p', 'c', 1);
    world.relist();
    const before = world.calls.length;
    workers.wake('p', 'pleg');
    await world.settle();
    let waitedMs = 0;
    while (world.calls.length === before && waitedMs < 60_000) {
      const [status] = world.statuses.get('p')?.containerStatuses ?? [];
      const message = `back-off ${10 * 2 ** (crash - 1)}s restarting failed container=c pod=p_ns(p)`;
      t.same(status?.state, { waiting: { reason: 'CrashLoopBackOff', message } });
      // Nearly there, and there.
      const stepMs = waitedMs === 0 ? 10_000 * 2 ** (crash - 1) - 1 : 1;
      clock.advance(stepMs);
      await world.settle();
      waitedMs += stepMs;
    }
    delays.push(waitedMs / 1000);
  }
  t.same(delays, [0, 10, 20, 40]);
  t.equal(world.events.filter((event) => event === 'BackOff: Back-off restarting failed container').length, 3);
  for (const { status } of world.history) {
    const [c] = status.containerStatuses ?? [];
    t.equal(c?.state?.running !== undefined, c?.ready, 'state and readiness change together');
  }
  await workers.stop();
});

t.test('init containers one after the other, then the app', async (t) => {
  const { world, workers } = makeWorld();
  workers.update(makePod('p', { initContainers: [{ name: 'i1' }, { name: 'i2' }] }));
  await world.settle();
  for (const name of ['i1', 'i2']) {
    world.end('p', name, 0);
    world.relist();
    workers.wake('p', 'pleg');
    await world.settle();
  }
  t.same(world.calls, ['sandbox p 0', 'start i1 0', 'start i2 0', 'start c 0']);
  await workers.stop();
});

t.test('a container that has ended before it was looked at is not forgotten', async (t) => {
  const { world, workers } = makeWorld((world) => {
    const { runtime } = world.options();
    return {
      runtime: {
        ...runtime,
        startContainer: async (request) => {
          const id = await runtime.startContainer(request);
          if (request.kind === 'init') world.end('p', request.container.name, 0);
          return id;
        },
      },
    };
  });
  workers.update(makePod('p', { initContainers: [{ name: 'i1' }, { name: 'i2' }] }));
  await world.settle();
  t.same(world.calls, ['sandbox p 0', 'start i1 0', 'start i2 0', 'start c 0']);
  await workers.stop();
});

t.test('a pod that has run to its end keeps its dead containers', async (t) => {
  for (const [policy, exitCode, phase] of [
    ['Never', 0, 'Succeeded'],
    ['Never', 3, 'Failed'],
    ['OnFailure', 0, 'Succeeded'],
  ] as const) {
    const { world, workers } = makeWorld();
    workers.update(makePod('p', { restartPolicy: policy }));
    await world.settle();
    world.end('p', 'c', exitCode);
    world.relist();
    workers.wake('p', 'pleg');
    await world.settle();
    t.equal(world.statuses.get('p')?.phase, phase);
    t.same(world.calls, ['sandbox p 0', 'start c 0', 'stopSandbox']);
    t.ok(world.container('p', 'c'), 'for its log');
    t.same(world.tornDown, ['p']);
    t.ok(workers.isTerminated('p') && workers.isFinished('p') && workers.isKnown('p'));
    t.same(world.deletes, []);
    await workers.stop();
  }
});

t.test('OnFailure starts a failure again', async (t) => {
  const { world, workers } = makeWorld();
  workers.update(makePod('p', { restartPolicy: 'OnFailure' }));
  await world.settle();
  world.end('p', 'c', 1);
  world.relist();
  workers.wake('p', 'pleg');
  await world.settle();
  t.equal(world.container('p', 'c')?.attempt, 1);
  await workers.stop();
});

t.test('a liveness failure: preStop, kill with the probe’s grace, and one status with all of the news', async (t) => {
  const { world, workers } = makeWorld();
  const hooks: string[] = [];
  world.hook = async (hook) => {
    hooks.push(hook);
  };
  const container = {
    name: 'c',
    livenessProbe: { terminationGracePeriodSeconds: 7 },
    lifecycle: { preStop: { exec: { command: ['x'] } } },
  };
  workers.update(makePod('p', { containers: [container] }));
  await world.settle();
  world.probeResults.set(`liveness ${world.container('p', 'c')?.id}`, 'failure');
  workers.wake('p', 'liveness');
  await world.settle();
  t.same(world.calls, ['sandbox p 0', 'start c 0', 'stop c 7', 'start c 1']);
  t.same(hooks, ['preStop']);
  t.ok(world.events.includes('Killing: Container c failed liveness probe, will be restarted'));
  const last = world.history.at(-1)?.status.containerStatuses?.[0];
  t.match(last, { restartCount: 1, ready: true, state: { running: {} } });
  t.notOk(world.history.some(({ status }) => status.containerStatuses?.some((c) => c.restartCount === 1 && !c.ready)));
  await workers.stop();
});

t.test('an image that can’t be had holds neither its pod’s other containers nor its status', async (t) => {
  const { world, workers } = makeWorld();
  let reason = 'ErrImagePull';
  world.imageFailure = (name) => (name === 'a' && reason ? new PodFailure(reason, `${reason} it is`) : undefined);
  workers.update(makePod('p', { containers: [{ name: 'a' }, { name: 'b' }] }));
  await world.settle();
  t.same(world.calls, ['sandbox p 0', 'start b 0']);
  const stateOfA = () => world.statuses.get('p')?.containerStatuses?.[0]?.state;
  t.same(stateOfA(), { waiting: { reason: 'ErrImagePull', message: 'ErrImagePull it is' } });
  reason = 'ImagePullBackOff';
  await world.advance(10);
  t.match(stateOfA(), { waiting: { reason: 'ImagePullBackOff' } });
  reason = '';
  await world.advance(10);
  t.match(stateOfA(), { running: {} });
  await workers.stop();
});

t.test('an image that takes long doesn’t hide what runs by now', async (t) => {
  const { world, workers } = makeWorld();
  world.hang = (what) => (what === 'image b' ? forever : undefined);
  workers.update(makePod('p', { containers: [{ name: 'a' }, { name: 'b' }] }));
  await world.settle();
  const readiness = () => world.statuses.get('p')?.containerStatuses?.map(({ ready }) => ready);
  t.same(readiness(), [true, false]);
  world.end('p', 'a', 1);
  world.relist();
  workers.wake('p', 'pleg');
  await world.advance(2);
  t.same(readiness(), [false, false], 'nor what becomes of it');
  await workers.stop();
});

t.test('a postStart hook that fails kills its container, and the restart is counted', async (t) => {
  const { world, workers } = makeWorld();
  let failing = true;
  world.hook = async () => {
    if (failing) throw new Error('exit 1');
  };
  const lifecycle = { postStart: { exec: { command: ['x'] } } };
  workers.update(makePod('p', { containers: [{ name: 'a', lifecycle }, { name: 'b' }] }));
  await world.settle();
  t.same(world.calls.slice(0, 4), ['sandbox p 0', 'start a 0', 'stop a 30', 'start b 0']);
  t.ok(world.events.includes('FailedPostStartHook: exit 1'));
  t.match(world.statuses.get('p')?.containerStatuses?.[0]?.state, { waiting: { reason: 'CrashLoopBackOff' } });
  failing = false;
  await world.advance(10);
  t.match(world.statuses.get('p')?.containerStatuses?.[0], { ready: true, restartCount: 2 });
  await workers.stop();
});

t.test('a pod that hangs holds no other, nor do ten of them', async (t) => {
  const { world, workers } = makeWorld();
  world.hang = (what) => (what.startsWith('sandbox bad') ? forever : undefined);
  for (let pod = 0; pod < 10; pod += 1) workers.update(makePod(`bad${pod}`));
  workers.update(makePod('good'));
  await world.settle();
  t.equal(world.statuses.get('good')?.phase, 'Pending', 'all slots are taken');
  await world.advance(10);
  t.equal(world.statuses.get('good')?.phase, 'Running', 'and given back');
});

t.test('a restarted kubelet restarts nothing', async (t) => {
  const { world, workers } = makeWorld();
  const pod = makePod('p', {}, {});
  const [container] = pod.spec?.containers ?? [];
  if (!container) throw new Error('the pod has no container');
  world.pods.set('p', { sandboxes: [makeSandbox()], containers: [makeInstance(container)] });
  workers.update({ ...pod, status: { phase: 'Running', startTime: new Date(START_MS).toISOString() } });
  await world.settle();
  t.same(world.calls, []);
  t.same(world.events, []);
  t.equal(world.statuses.get('p')?.phase, 'Running');
  await workers.stop();
});

t.test('a pod that is over before the kubelet starts is left as it was told', async (t) => {
  const { world, workers } = makeWorld();
  workers.update({ ...makePod('p'), status: { phase: 'Succeeded', startTime: new Date(START_MS).toISOString() } });
  await world.settle();
  t.same(world.calls, []);
  t.same(world.history, []);
  t.ok(workers.isFinished('p'));
  await workers.stop();
});

t.test('the active deadline, also one that was set later', async (t) => {
  const { world, workers } = makeWorld();
  workers.update(makePod('p'));
  await world.settle();
  workers.update(makePod('p', { activeDeadlineSeconds: 5 }));
  await world.advance(4);
  t.equal(world.statuses.get('p')?.phase, 'Running');
  await world.advance(1);
  t.match(world.statuses.get('p'), { phase: 'Failed', reason: 'DeadlineExceeded' });
  t.ok(world.calls.includes('stop c 30'));
  await workers.stop();
});

t.test('the network is not ready', async (t) => {
  let ready = false;
  const { world, workers } = makeWorld(() => ({ networkReady: () => ready }));
  workers.update(makePod('p'));
  workers.update(makePod('host', { hostNetwork: true }));
  await world.settle();
  t.same(world.calls, ['sandbox host 0', 'start c 0']);
  t.ok(world.events.includes('NetworkNotReady: network is not ready'));
  ready = true;
  await world.advance(1);
  t.ok(world.calls.includes('sandbox p 0'));
  await workers.stop();
});

t.test('a start that fails without an end is not tried again at once', async (t) => {
  let starts = 0;
  const { world, workers } = makeWorld((world) => ({
    runtime: {
      ...world.options().runtime,
      startContainer: async () => {
        starts += 1;
        throw new PodFailure('RunContainerError', 'no answer');
      },
    },
  }));
  workers.update(makePod('p'));
  await world.settle();
  t.equal(starts, 1);
  t.match(world.statuses.get('p')?.containerStatuses?.[0]?.state, { waiting: { reason: 'RunContainerError' } });
  t.ok(world.events.includes('Failed: Error: no answer'));
  await world.advance(10);
  t.equal(starts, 2);
  await workers.stop();
});

t.test('nothing is started twice where the engine didn’t answer after a start', async (t) => {
  let fails = true;
  const { world, workers } = makeWorld((world) => {
    const { pleg } = world.options();
    return {
      pleg: {
        ...pleg,
        refresh: async (uid) => {
          if (fails) throw new Error('no answer');
          return pleg.refresh(uid);
        },
      },
    };
  });
  workers.update(makePod('p'));
  await world.settle();
  await world.advance(10);
  fails = false;
  await world.advance(10);
  t.same(world.calls, ['sandbox p 0', 'start c 0']);
  t.equal(world.statuses.get('p')?.phase, 'Running');
  await workers.stop();
});
