import t, { type Test } from 'tap';
import type { V1Container, V1Pod, V1Probe } from '../../../../src/kube/pod-objects.js';
import type { ProbeOutcome } from '../../../../src/kubelet/prober/probe-outcome.js';
import { createProbes } from '../../../../src/kubelet/prober/probes.js';
import type { ProbeCall } from '../../../../src/kubelet/prober/run-probe.js';
import type { ProbeKind, RuntimeContainer, RuntimePodStatus } from '../../../../src/kubelet/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const uid = 'u-1';
const startMs = 1_000_000;

function instance(more: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: 'c1',
    name: 'app',
    podUid: uid,
    sandboxId: 's1',
    attempt: 0,
    state: 'running',
    createdAtMs: startMs,
    startedAtMs: startMs,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    image: 'i',
    imageId: 'i',
    hash: 'h',
    pid: 1,
    logPath: '',
    tty: false,
    openStdin: false,
    ...more,
  };
}

type Probed = Partial<Record<ProbeKind, V1Probe>>;

function podOf(probes: Probed, spec: Partial<NonNullable<V1Pod['spec']>> = {}): V1Pod {
  const container: V1Container = {
    name: 'app',
    ...(probes.startup ? { startupProbe: probes.startup } : {}),
    ...(probes.readiness ? { readinessProbe: probes.readiness } : {}),
    ...(probes.liveness ? { livenessProbe: probes.liveness } : {}),
  };
  return { metadata: { name: 'web', namespace: 'ns', uid }, spec: { containers: [container], ...spec } };
}

/** Which probe a call is for is told by its service. */
const probe = (kind: ProbeKind, more: Partial<V1Probe> = {}): V1Probe => ({
  grpc: { port: 1, service: kind },
  ...more,
});

function setUp(t: Test) {
  const clock = makeManualClock(startMs);
  const calls: string[] = [];
  const told: string[] = [];
  const changes: string[] = [];
  const state = {
    containers: [] as RuntimeContainer[],
    answer: async (_call: ProbeCall): Promise<ProbeOutcome> => ({ result: 'success', output: '' }),
  };
  const status = (): RuntimePodStatus => ({
    uid,
    name: 'web',
    namespace: 'ns',
    sandboxes: [
      {
        id: 's1',
        podUid: uid,
        attempt: 0,
        state: 'ready',
        createdAtMs: 0,
        hostNetwork: false,
        ips: ['10.0.0.5'],
        pid: 1,
      },
    ],
    containers: state.containers,
  });
  const manager = createProbes({
    clock,
    execSync: async () => ({ exitCode: 0, output: '' }),
    events: { pod: (_pod, _type, reason, message, container) => told.push(`${container?.name} ${reason} ${message}`) },
    statusOf: () => status(),
    onResult: (_uid, kind, id, result) => changes.push(`${kind} ${id} ${result}`),
    hostIps: ['192.0.2.1'],
    random: () => 0.5,
    runProbe: async (call) => {
      calls.push(`${clock.now() - startMs} ${call.probe.grpc?.service} ${call.id} ${call.podIp}`);
      return state.answer(call);
    },
  });
  t.teardown(() => manager.stop());
  /** Lets everything happen that is due, a quarter of a second at a time. */
  const pass = async (ms: number) => {
    await clock.advanceAndRun(0);
    for (let passed = 0; passed < ms; passed += 250) await clock.advanceAndRun(250);
  };
  /** How long after the start it was probed. */
  const times = () => calls.map((call) => Number(call.split(' ')[0]));
  const fail = (output = 'no') => {
    state.answer = async () => ({ result: 'failure', output });
  };
  const run = async (container: RuntimeContainer) => {
    state.containers = [container];
    manager.wake(uid);
    await pass(0);
  };
  return { manager, clock, calls, told, changes, state, pass, times, fail, run };
}

t.test('a fresh container is probed as soon as it runs, then each period', async (t) => {
  const { manager, calls, changes, pass, run } = setUp(t);
  manager.addPod(podOf({ readiness: probe('readiness', { periodSeconds: 4 }) }));
  manager.addPod(podOf({ readiness: probe('readiness', { periodSeconds: 4 }) }));
  await pass(1000);
  t.same(calls, [], 'nothing runs');
  await run(instance({ startedAtMs: startMs + 1000 }));
  t.same(calls, ['1000 readiness c1 10.0.0.5']);
  t.same(changes, ['readiness c1 success']);
  t.equal(manager.result('c1', 'readiness'), 'success');
  t.equal(manager.result('c1', 'liveness'), undefined);
  await pass(8000);
  t.same(calls.slice(1), ['5000 readiness c1 10.0.0.5', '9000 readiness c1 10.0.0.5']);
  t.equal(changes.length, 1, 'the same result is told once');
});

t.test('an initial delay is kept, never a moment too short', async (t) => {
  const { manager, times, pass, run } = setUp(t);
  manager.addPod(podOf({ liveness: probe('liveness', { initialDelaySeconds: 3 }) }));
  await run(instance());
  await pass(3000);
  t.same(times(), []);
  await pass(250);
  t.same(times(), [3250]);
});

t.test('a clock that is set holds up no probe and adds none', async (t) => {
  const { manager, clock, calls, pass, run } = setUp(t);
  manager.addPod(podOf({ liveness: probe('liveness', { initialDelaySeconds: 3, periodSeconds: 2 }) }));
  clock.setWall(-3_600_000);
  await run(instance());
  await pass(3250);
  t.equal(calls.length, 1, 'set back before the first');
  clock.setWall(-3_600_000);
  await pass(4000);
  t.equal(calls.length, 3, 'set back between two');
  clock.setWall(7_200_000);
  await pass(4000);
  t.equal(calls.length, 5, 'set forward');
});

t.test('until its first success a readiness probe is tried some more, which counts and tells nothing', async (t) => {
  const { manager, times, told, changes, state, pass, fail, run } = setUp(t);
  fail();
  manager.addPod(podOf({ readiness: probe('readiness', { periodSeconds: 10, failureThreshold: 2 }) }));
  await run(instance());
  await pass(9000);
  t.same(times(), [0, 250, 750, 1750, 3750, 7750]);
  t.same(told, [], 'not even the first, which comes as soon as the container runs');
  await pass(1000);
  t.same(told, ['app Unhealthy Readiness probe failed: no'], 'of the regular one');
  t.same(changes, []);
  await pass(10_000);
  t.same(changes, ['readiness c1 failure'], 'two regular failures');
  t.same(times().slice(6), [10_000, 20_000], 'no more in later periods');
  await pass(9000);
  state.answer = async () => ({ result: 'success', output: '' });
  await pass(1000);
  t.same(changes, ['readiness c1 failure', 'readiness c1 success']);
});

t.test('the first probe counts where a delay was asked for, or the instance has run for long', async (t) => {
  for (const { name, extra, ranMs } of [
    { name: 'delay', extra: { initialDelaySeconds: 2 }, ranMs: 0 },
    { name: 'long', extra: {}, ranMs: 60_000 },
  ]) {
    const { manager, told, pass, fail, run } = setUp(t);
    fail();
    manager.addPod(podOf({ readiness: probe('readiness', { periodSeconds: 10, ...extra }) }));
    await run(instance({ startedAtMs: startMs - ranMs }));
    await pass(5000);
    t.equal(told.length, 1, name);
  }
});

t.test('thresholds: as many equal results in a row', async (t) => {
  const { manager, changes, state, pass, run } = setUp(t);
  const results = ['failure', 'success', 'failure', 'success', 'success', 'failure', 'failure', 'failure'] as const;
  let at = 0;
  state.answer = async () => ({ result: results[at++] ?? 'success', output: '' });
  const liveness = probe('liveness', { periodSeconds: 1, successThreshold: 2, failureThreshold: 3 });
  manager.addPod(podOf({ liveness }));
  await run(instance());
  await pass(3000);
  t.same([at, changes], [4, []]);
  await pass(1000);
  t.same(changes, ['liveness c1 success']);
  await pass(2000);
  t.equal(changes.length, 1);
  await pass(1000);
  t.same(changes, ['liveness c1 success', 'liveness c1 failure']);
});

t.test('after a failure of liveness it waits for another instance', async (t) => {
  const { manager, calls, changes, pass, fail, run } = setUp(t);
  fail();
  manager.addPod(podOf({ liveness: probe('liveness', { periodSeconds: 1, failureThreshold: 1 }) }));
  await run(instance());
  t.same(changes, ['liveness c1 failure']);
  await pass(5000);
  t.equal(calls.length, 1, 'on hold');
  await run(instance({ id: 'c2', attempt: 1, startedAtMs: startMs + 5000 }));
  t.same(changes, ['liveness c1 failure', 'liveness c2 failure']);
  t.equal(manager.result('c1', 'liveness'), undefined, 'goes with its instance');
});

t.test('startup comes first and stops with its success', async (t) => {
  const { manager, calls, changes, state, pass, fail, run } = setUp(t);
  fail();
  const pod = podOf({
    startup: probe('startup', { periodSeconds: 1 }),
    readiness: probe('readiness', { periodSeconds: 10 }),
    liveness: probe('liveness', { periodSeconds: 10 }),
  });
  manager.addPod(pod);
  await run(instance());
  await pass(1000);
  t.same([...new Set(calls.map((call) => call.split(' ')[1]))], ['startup']);
  state.answer = async () => ({ result: 'success', output: '' });
  await pass(1000);
  await pass(0);
  t.same(changes, ['startup c1 success', 'readiness c1 success', 'liveness c1 success']);
  const count = calls.length;
  await pass(5000);
  t.equal(calls.length, count, 'no startup probe any more');
});

t.test('a probe that cannot be made is retried, told and thrown away', async (t) => {
  const { manager, calls, told, changes, state, run } = setUp(t);
  state.answer = async () => {
    throw new Error('engine down');
  };
  manager.addPod(podOf({ liveness: probe('liveness', { failureThreshold: 1 }) }));
  await run(instance());
  t.equal(calls.length, 3);
  t.same(told, ['app Unhealthy Liveness probe errored: engine down']);
  t.same(changes, []);
});

t.test('a warning is a success that is told', async (t) => {
  const { manager, told, changes, state, run } = setUp(t);
  state.answer = async () => ({ result: 'warning', output: '0.0.0.0' });
  manager.addPod(podOf({ readiness: probe('readiness') }));
  await run(instance());
  t.same(told, ['app ProbeWarning Readiness probe warning: 0.0.0.0']);
  t.same(changes, ['readiness c1 success']);
});

t.test('what is learned of an instance that has ended counts for nothing', async (t) => {
  const { manager, told, changes, state, run, pass } = setUp(t);
  const answers: ((outcome: ProbeOutcome) => void)[] = [];
  state.answer = () => new Promise((resolve) => answers.push(resolve));
  manager.addPod(podOf({ liveness: probe('liveness', { failureThreshold: 1 }), readiness: probe('readiness') }));
  await run(instance());
  state.containers = [instance({ state: 'exited' })];
  t.equal(answers.length, 2);
  for (const answer of answers) answer({ result: 'failure', output: 'no' });
  await pass(0);
  t.same([told, changes], [[], []]);
});

t.test('a stop does not wait for a probe that hangs', async (t) => {
  const { manager, calls, state, run, pass } = setUp(t);
  state.answer = () => new Promise(() => {});
  manager.addPod(podOf({ liveness: probe('liveness', { periodSeconds: 1 }) }));
  await run(instance());
  await manager.stop();
  await pass(5000);
  t.equal(calls.length, 1);
});

t.test('a pod that ends: no liveness, readiness goes on until it is removed', async (t) => {
  const { manager, calls, changes, state, pass, run } = setUp(t);
  const pod = podOf({
    liveness: probe('liveness', { periodSeconds: 1 }),
    readiness: probe('readiness', { periodSeconds: 1 }),
  });
  manager.addPod(pod);
  await run(instance());
  manager.stopLiveness(uid);
  manager.addPod(pod);
  calls.length = 0;
  await pass(2000);
  t.same([...new Set(calls.map((call) => call.split(' ')[1]))], ['readiness']);
  await run(instance({ state: 'exited' }));
  t.same(changes.slice(-1), ['readiness c1 failure']);
  state.containers = [];
  manager.removePod(uid);
  await pass(2000);
  t.equal(manager.result('c1', 'readiness'), undefined);
  t.equal(manager.result('c1', 'liveness'), undefined);
});

t.test('after a restart of the kubelet first probes are spread', async (t) => {
  const { manager, times, pass, run } = setUp(t);
  manager.addPod(podOf({ liveness: probe('liveness', { periodSeconds: 60 }) }));
  await run(instance({ startedAtMs: startMs - 100_000 }));
  await pass(1250);
  t.same(times(), []);
  await pass(250);
  t.same(times(), [1500], 'half of three seconds');
});

t.test('a slow probe holds only its own worker, and misses what it was too slow for', async (t) => {
  const { manager, calls, state, pass, run } = setUp(t);
  let answer: (outcome: ProbeOutcome) => void = () => {};
  state.answer = (call) =>
    call.probe.grpc?.service === 'liveness'
      ? new Promise((resolve) => {
          answer = resolve;
        })
      : Promise.resolve({ result: 'success', output: '' });
  manager.addPod(
    podOf({ liveness: probe('liveness', { periodSeconds: 1 }), readiness: probe('readiness', { periodSeconds: 1 }) }),
  );
  await run(instance());
  await pass(2500);
  const of = (kind: string) => calls.filter((call) => call.includes(kind)).map((call) => Number(call.split(' ')[0]));
  t.same([of('liveness'), of('readiness')], [[0], [0, 1000, 2000]]);
  answer({ result: 'success', output: '' });
  await pass(500);
  t.same(of('liveness'), [0, 3000]);
});

t.test('hosts and sidecars', async (t) => {
  const { manager, calls, run } = setUp(t);
  const pod = podOf({}, { hostNetwork: true });
  const sidecar: V1Container = { name: 'app', restartPolicy: 'Always', readinessProbe: probe('readiness') };
  manager.addPod({ ...pod, spec: { containers: [], hostNetwork: true, initContainers: [sidecar] } });
  await run(instance());
  t.same(calls, ['0 readiness c1 192.0.2.1']);
});
