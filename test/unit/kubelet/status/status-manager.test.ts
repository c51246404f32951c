import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import type { V1Pod, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import { createStatusManager } from '../../../../src/kubelet/status/status-manager.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

interface Call {
  readonly name: string;
  readonly uid: string | undefined;
  readonly status: V1PodStatus;
  readonly answer: (pod: V1Pod) => void;
  readonly fail: (error: Error) => void;
}

function makePod(name: string, status: V1PodStatus = {}, resourceVersion = '1'): V1Pod {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion },
    spec: { containers: [] },
    status,
  };
}

/** A manager whose patches wait for the test to answer them. */
function scene(t: { teardown(run: () => Promise<void>): unknown }, mirrors = new Map<string, V1Pod>()) {
  const calls: Call[] = [];
  const clock = makeManualClock(Date.UTC(2026, 0, 1));
  let found: V1Pod | undefined;
  const manager = createStatusManager({
    clock,
    random: () => 0,
    mirrorOf: (uid) => mirrors.get(uid),
    client: {
      async find<T>() {
        return found as T | undefined;
      },
      patch: (_ref, key, patch, options) =>
        new Promise((resolve, reject) => {
          const body = patch.body as { metadata: { uid?: string }; status: V1PodStatus };
          options?.signal?.addEventListener('abort', () => reject(new HyperupError('Aborted', 'stopped')));
          calls.push({
            name: key.name,
            uid: body.metadata.uid,
            status: body.status,
            answer: (pod) => resolve(pod as never),
            fail: reject,
          });
        }),
    },
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  t.teardown(() => manager.stop());
  manager.start();
  return { manager, calls, clock, turn, setFound: (pod: V1Pod | undefined) => (found = pod) };
}

t.test('a status is sent at once, without asking first; equal ones are not', async (t) => {
  const { manager, calls, turn } = scene(t);
  const pod = makePod('a', { phase: 'Pending', qosClass: 'BestEffort' });
  manager.set(pod, { phase: 'Running', qosClass: 'BestEffort' });
  t.match(calls, [{ name: 'a', uid: 'uid-a', status: { phase: 'Running' } }]);
  t.strictSame(Object.keys(calls[0]?.status ?? {}), ['phase'], 'only what differs');
  t.equal(manager.isReported('uid-a'), false);
  calls[0]?.answer(makePod('a', { phase: 'Running', qosClass: 'BestEffort' }, '2'));
  await turn();
  t.equal(manager.isReported('uid-a'), true);
  manager.set(pod, { phase: 'Running', qosClass: 'BestEffort' });
  manager.onPodUpdate(makePod('a', { phase: 'Pending', qosClass: 'BestEffort' }, '1'));
  manager.reconcileNow();
  t.equal(calls.length, 1, 'nothing new, and an event from before the patch is no overwriting');
  t.equal(manager.get('uid-a')?.phase, 'Running');
});

t.test('one call a pod, the latest wins; pods side by side', async (t) => {
  const { manager, calls, turn } = scene(t);
  manager.set(makePod('a'), { phase: 'Pending' });
  manager.set(makePod('b'), { phase: 'Pending' });
  manager.set(makePod('a'), { phase: 'Running', reason: 'first' });
  manager.set(makePod('a'), { phase: 'Running', reason: 'second' });
  t.strictSame(
    calls.map(({ name }) => name),
    ['a', 'b'],
  );
  calls[0]?.answer(makePod('a', { phase: 'Pending' }, '2'));
  await turn();
  t.equal(manager.isReported('uid-a'), false);
  t.match(calls[2], { name: 'a', status: { phase: 'Running', reason: 'second' } });
  t.equal(calls.length, 3);
});

t.test('no more than eight at once', async (t) => {
  const { manager, calls, turn } = scene(t);
  for (let i = 0; i < 12; i += 1) manager.set(makePod(`p${i}`), { phase: 'Running' });
  t.equal(calls.length, 8);
  calls[0]?.answer(makePod('p0', { phase: 'Running' }, '2'));
  await turn();
  t.equal(calls.length, 9);
});

t.test('a failure is tried again; a pod that is gone is not', async (t) => {
  const { manager, calls, clock, turn } = scene(t);
  manager.set(makePod('a'), { phase: 'Running' });
  calls[0]?.fail(new HyperupError('ApiFailed', 'no'));
  await turn();
  t.equal(calls.length, 1);
  manager.set(makePod('a'), { phase: 'Running', reason: 'later' });
  t.equal(calls.length, 1, 'a new status waits for the retry as well');
  await clock.advanceAndRun(200);
  t.match(calls[1], { status: { reason: 'later' } });
  calls[1]?.fail(new HyperupError('NotFound', 'gone'));
  await turn();
  await clock.advanceAndRun(30_000);
  t.equal(calls.length, 2);
  t.equal(manager.isReported('uid-a'), true, 'nobody to tell');
  manager.forget('uid-a');
  t.equal(manager.get('uid-a'), undefined);
});

t.test('another pod of that name never gets it', async (t) => {
  const { manager, calls, clock, turn, setFound } = scene(t);
  manager.set(makePod('a'), { phase: 'Running' });
  setFound({ metadata: { name: 'a', namespace: 'shop', uid: 'other' } });
  calls[0]?.fail(new HyperupError('Conflict', 'uid'));
  await turn();
  await clock.advanceAndRun(30_000);
  t.equal(calls.length, 1);
  manager.set(makePod('b'), { phase: 'Running' });
  setFound(makePod('b', { phase: 'Pending' }, '3'));
  calls[1]?.fail(new HyperupError('Conflict', 'again'));
  await turn();
  await clock.advanceAndRun(200);
  t.match(calls[2], { name: 'b', status: { phase: 'Running' } }, 'another conflict is tried again');
});

t.test('overwritten by others: written again', async (t) => {
  const { manager, calls, turn } = scene(t);
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' }] as const;
  manager.set(makePod('a'), { phase: 'Running', conditions });
  calls[0]?.answer(makePod('a', { phase: 'Running', conditions }, '2'));
  await turn();
  manager.onPodUpdate(makePod('a', { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }, '3'));
  t.match(calls[1]?.status, { conditions });
  t.equal(manager.isReported('uid-a'), false);
});

t.test('overwritten by others while a patch of something else is on its way: written again', async (t) => {
  const { manager, calls, turn } = scene(t);
  const since = '2025-01-01T00:00:00Z';
  const ready = { type: 'Ready', status: 'True', lastTransitionTime: since } as const;
  manager.set(makePod('a', { phase: 'Pending', conditions: [ready] }), { phase: 'Running', conditions: [ready] });
  t.strictSame(Object.keys(calls[0]?.status ?? {}), ['phase']);
  // The node controller has found the node's lease to be old.
  const unready = makePod('a', { phase: 'Running', conditions: [{ ...ready, status: 'False' }] }, '3');
  calls[0]?.answer(unready);
  await turn();
  t.match(calls[1]?.status, { conditions: [{ type: 'Ready', status: 'True' }] });
  calls[1]?.answer({ ...unready, metadata: { ...unready.metadata, resourceVersion: '4' } });
  await turn();
  manager.reconcileNow();
  t.equal(calls.length, 2, 'what was said and not taken is not said again');
});

t.test('a field that the server drops is not sent for ever', async (t) => {
  const { manager, calls, turn, clock } = scene(t);
  manager.set(makePod('a'), { phase: 'Running', observedGeneration: 3 });
  calls[0]?.answer(makePod('a', { phase: 'Running' }, '2'));
  await turn();
  manager.onPodUpdate(makePod('a', { phase: 'Running' }, '3'));
  await clock.advanceAndRun(10_000);
  t.equal(calls.length, 1);
  t.equal(manager.isReported('uid-a'), true);
});

t.test('a phase that ends the pod stays, whoever wrote it', async (t) => {
  const { manager, calls, turn } = scene(t);
  manager.set(makePod('a'), { phase: 'Running' });
  calls[0]?.answer(makePod('a', { phase: 'Running' }, '2'));
  await turn();
  manager.onPodUpdate(makePod('a', { phase: 'Failed', reason: 'byTest' }, '3'));
  t.match(manager.get('uid-a'), { phase: 'Failed', reason: 'byTest' });
  manager.set(makePod('a', { phase: 'Running' }, '2'), { phase: 'Running' });
  t.match(manager.get('uid-a'), { phase: 'Failed', reason: 'byTest' });
  t.equal(calls.length, 1, 'the server knows');
});

t.test('conditions keep the time of their last transition', async (t) => {
  const { manager, calls } = scene(t);
  const lastTransitionTime = '2025-01-01T00:00:00Z';
  const pod = makePod('a', { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime }] });
  manager.set(pod, {
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False' },
    ],
  });
  t.match(manager.get('uid-a')?.conditions, [
    { type: 'PodScheduled', lastTransitionTime },
    { type: 'Ready', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ]);
  t.strictSame(
    calls[0]?.status.conditions?.map(({ type }) => type),
    ['Ready'],
  );
});

t.test('a readiness gate opens', async (t) => {
  const { manager, calls, turn } = scene(t);
  const pod = (status: V1PodStatus, version: string): V1Pod => ({
    ...makePod('a', status, version),
    spec: { containers: [], readinessGates: [{ conditionType: 'x/y' }] },
  });
  const shut = [
    { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: 'no' },
    { type: 'ContainersReady', status: 'True' },
  ] as const;
  manager.set(pod({}, '1'), { conditions: shut });
  calls[0]?.answer(pod({ conditions: shut }, '2'));
  await turn();
  const gate = { type: 'x/y', status: 'True' } as const;
  manager.onPodUpdate(pod({ conditions: [...shut, gate] }, '3'));
  t.match(calls[1]?.status, {
    conditions: [
      { type: 'Ready', status: 'True', reason: null, message: null, lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  });
});

t.test('a static pod: its mirror is told', async (t) => {
  const mirrors = new Map<string, V1Pod>();
  const { manager, calls, turn } = scene(t, mirrors);
  const pod: V1Pod = {
    metadata: { name: 's', namespace: 'shop', uid: 'hash', annotations: { 'kubernetes.io/config.source': 'file' } },
    spec: { containers: [] },
    status: { phase: 'Pending' },
  };
  manager.set(pod, { phase: 'Running' });
  t.equal(calls.length, 0);
  t.equal(manager.isReported('hash'), true, 'there is none to tell');
  const mirror: V1Pod = {
    metadata: {
      ...pod.metadata,
      uid: 'm1',
      resourceVersion: '5',
      annotations: { ...pod.metadata?.annotations, 'kubernetes.io/config.mirror': 'hash' },
    },
    status: { phase: 'Pending' },
  };
  mirrors.set('hash', mirror);
  manager.onPodUpdate(mirror);
  t.match(calls, [{ name: 's', uid: 'm1', status: { phase: 'Running' } }]);
  calls[0]?.answer({ ...mirror, metadata: { ...mirror.metadata, resourceVersion: '6' }, status: { phase: 'Running' } });
  await turn();
  manager.reconcileNow();
  t.equal(calls.length, 1, 'the mirror that is known elsewhere is from before the patch');
  const next = { ...mirror, metadata: { ...mirror.metadata, uid: 'm2', resourceVersion: '9' } };
  mirrors.set('hash', next);
  manager.onPodUpdate(next);
  t.match(calls[1], { uid: 'm2', status: { phase: 'Running' } }, 'a new mirror is told everything');
});
