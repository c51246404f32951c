import t from 'tap';
import type { V1Container, V1Pod, V1PodSpec, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import { generatePodStatus, type PodStatusInput } from '../../../../src/kubelet/status/generate-pod-status.js';
import type { ProbeResult, RuntimeContainer, RuntimeSandbox } from '../../../../src/kubelet/types.js';

const nowMs = Date.UTC(2026, 0, 1, 12) + 789;
const now = '2026-01-01T12:00:00Z';
const startMs = nowMs - 60_000;
const startText = '2026-01-01T11:59:00Z';
const endText = '2026-01-01T11:59:30Z';

function instance(name: string, part: Partial<RuntimeContainer> = {}): RuntimeContainer {
  const ended = part.state === 'exited';
  return {
    id: `${name}-${part.attempt ?? 0}`,
    name,
    podUid: 'u1',
    sandboxId: 's0',
    attempt: 0,
    state: 'running',
    createdAtMs: startMs - 500,
    startedAtMs: startMs,
    finishedAtMs: ended ? startMs + 30_000 : 0,
    exitCode: 0,
    reason: ended ? (part.exitCode ? 'Error' : 'Completed') : '',
    message: '',
    image: `${name}:1`,
    imageId: `docker-pullable://${name}@sha256:1`,
    hash: 'h',
    pid: 1,
    logPath: '',
    tty: false,
    openStdin: false,
    ...part,
  };
}

const sandbox: RuntimeSandbox = {
  id: 's0',
  podUid: 'u1',
  attempt: 0,
  state: 'ready',
  createdAtMs: startMs,
  hostNetwork: false,
  ips: ['10.1.0.5'],
  pid: 1,
};

interface Scene extends Partial<Omit<PodStatusInput, 'pod' | 'runtime' | 'probes' | 'options'>> {
  spec?: Partial<V1PodSpec>;
  status?: V1PodStatus;
  metadata?: V1Pod['metadata'];
  containers?: RuntimeContainer[];
  sandboxes?: RuntimeSandbox[];
  results?: Record<string, ProbeResult>;
  failures?: Record<string, string>;
  minor?: number;
}

function status(scene: Scene = {}): V1PodStatus {
  const { spec, containers = [], sandboxes = [sandbox], results = {}, failures = {}, minor = 20, metadata } = scene;
  return generatePodStatus({
    pod: {
      metadata: { name: 'web', namespace: 'shop', uid: 'u1', ...metadata },
      spec: { containers: [{ name: 'app', image: 'app' }], ...spec },
      ...(scene.status ? { status: scene.status } : {}),
    },
    runtime: { uid: 'u1', name: 'web', namespace: 'shop', sandboxes, containers },
    probes: { result: (id, kind) => results[`${id} ${kind}`] },
    startFailures: new Map(
      Object.entries(failures).map(([name, reason]) => [name, { reason, message: `${reason} of ${name}` }]),
    ),
    previous: scene.previous,
    hostIps: ['192.168.0.2'],
    nowMs,
    terminating: scene.terminating ?? false,
    failure: scene.failure,
    options: { minor },
  });
}

/** Each condition as `type=status reason`. */
const conditions = ({ conditions = [] }: V1PodStatus) =>
  conditions.map(({ type, status, reason }) => `${type}=${status}${reason ? ` ${reason}` : ''}`).join(', ');
/** Each container as `name:state restarts ready started | last state`. */
const shown = (
  part: V1PodStatus,
  list: 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses' = 'containerStatuses',
) =>
  (part[list] ?? [])
    .map(({ name, state, lastState, restartCount, ready, started }) => {
      const one = (some: typeof state) =>
        some?.running
          ? 'running'
          : some?.waiting
            ? `waiting ${some.waiting.reason ?? ''}`
            : some?.terminated
              ? `${some.terminated.reason} ${some.terminated.exitCode}`
              : '';
      return `${name}: ${one(state)} #${restartCount}${ready ? ' ready' : ''}${started ? ' started' : ''}${lastState ? ` | ${one(lastState)}` : ''}`;
    })
    .join('; ');

t.test('a running pod, whole', async (t) => {
  t.strictSame(status({ containers: [instance('app')] }), {
    phase: 'Running',
    conditions: [
      { type: 'Initialized', status: 'True', lastTransitionTime: now },
      { type: 'Ready', status: 'True', lastTransitionTime: now },
      { type: 'ContainersReady', status: 'True', lastTransitionTime: now },
      { type: 'PodScheduled', status: 'True', lastTransitionTime: now },
    ],
    hostIP: '192.168.0.2',
    podIP: '10.1.0.5',
    podIPs: [{ ip: '10.1.0.5' }],
    startTime: now,
    containerStatuses: [
      {
        name: 'app',
        state: { running: { startedAt: startText } },
        ready: true,
        restartCount: 0,
        image: 'app:1',
        imageID: 'docker-pullable://app@sha256:1',
        containerID: 'docker://app-0',
        started: true,
      },
    ],
    qosClass: 'BestEffort',
  });
});

t.test('equal input, equal output; only what changes changes', async (t) => {
  const first = status({ containers: [instance('app')] });
  const previous: V1PodStatus = {
    ...first,
    startTime: '2026-01-01T01:00:00Z',
    conditions: (first.conditions ?? []).map((one) => ({ ...one, lastTransitionTime: '2026-01-01T02:00:00Z' })),
  };
  t.strictSame(status({ containers: [instance('app')], previous }), previous);
  const after = status({ containers: [instance('app', { state: 'exited', exitCode: 1 })], previous });
  const times = Object.fromEntries(
    (after.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
  );
  t.strictSame(times, {
    Initialized: '2026-01-01T02:00:00Z',
    Ready: now,
    ContainersReady: now,
    PodScheduled: '2026-01-01T02:00:00Z',
  });
  t.equal(after.startTime, '2026-01-01T01:00:00Z');
});

t.test('a terminated state', async (t) => {
  const ended = instance('app', { state: 'exited', exitCode: 3, reason: 'Error', message: 'DONE' });
  const { state } = status({ containers: [ended] }).containerStatuses?.[0] ?? {};
  t.strictSame(state, {
    terminated: {
      exitCode: 3,
      reason: 'Error',
      message: 'DONE',
      startedAt: startText,
      finishedAt: endText,
      containerID: 'docker://app-0',
    },
  });
  const long = instance('app', { state: 'exited', message: 'ä'.repeat(7000) });
  const spec = { containers: [{ name: 'app' }, { name: 'b' }] };
  const cut = status({ containers: [long], spec }).containerStatuses?.[0]?.state?.terminated?.message ?? '';
  t.equal(cut, 'ä'.repeat(3072), 'two containers share 12 KiB');
});

const init: V1Container[] = [{ name: 'i1' }, { name: 'i2' }];
const exited = (name: string, exitCode = 0, attempt = 0) => instance(name, { state: 'exited', exitCode, attempt });
const probed: Partial<V1PodSpec> = { containers: [{ name: 'app', readinessProbe: {}, startupProbe: {} }] };
const sidecar: Partial<V1PodSpec> = {
  initContainers: [{ name: 'side', restartPolicy: 'Always' }],
  containers: [{ name: 'app' }],
};
const runningBefore = {
  phase: 'Running',
  containerStatuses: [
    {
      name: 'app',
      state: { running: {} },
      ready: true,
      restartCount: 2,
      image: 'app',
      imageID: '',
      containerID: 'docker://gone',
    },
  ],
} as const;

const cases: [string, Scene, string, string, string?][] = [
  ['nothing yet', {}, 'Pending', 'app: waiting ContainerCreating #0'],
  [
    'nothing yet, with init containers',
    { spec: { initContainers: init } },
    'Pending',
    'app: waiting PodInitializing #0',
    'i1: waiting PodInitializing #0; i2: waiting PodInitializing #0',
  ],
  [
    'first init container runs',
    { spec: { initContainers: init }, containers: [instance('i1')] },
    'Pending',
    'app: waiting PodInitializing #0',
    'i1: running #0; i2: waiting PodInitializing #0',
  ],
  [
    'init done, app runs',
    { spec: { initContainers: init }, containers: [instance('app'), exited('i2'), exited('i1')] },
    'Running',
    'app: running #0 ready started',
    'i1: Completed 0 #0 ready; i2: Completed 0 #0 ready',
  ],
  [
    'init failed, Never',
    { spec: { initContainers: init, restartPolicy: 'Never' }, containers: [exited('i1', 1)] },
    'Failed',
    'app: waiting PodInitializing #0',
    'i1: Error 1 #0; i2: waiting PodInitializing #0',
  ],
  [
    'init failed and backs off',
    {
      spec: { initContainers: init },
      containers: [exited('i1', 1, 2), exited('i1', 1, 1)],
      failures: { i1: 'CrashLoopBackOff' },
    },
    'Pending',
    'app: waiting PodInitializing #0',
    'i1: waiting CrashLoopBackOff #2 | Error 1; i2: waiting PodInitializing #0',
  ],
  [
    'an init container that succeeded does not wait',
    { spec: { initContainers: init }, containers: [exited('i1')], failures: { i1: 'CrashLoopBackOff' } },
    'Pending',
    'app: waiting PodInitializing #0',
    'i1: Completed 0 #0 ready; i2: waiting PodInitializing #0',
  ],
  ['image can not be pulled', { failures: { app: 'ErrImagePull' } }, 'Pending', 'app: waiting ErrImagePull #0'],
  [
    'made but not started is not shown',
    { containers: [instance('app', { state: 'created' })] },
    'Pending',
    'app: waiting ContainerCreating #0',
  ],
  [
    'the next instance made but not started: still the one before',
    { containers: [instance('app', { state: 'created', attempt: 1 }), exited('app', 2)] },
    'Running',
    'app: Error 2 #0',
  ],
  [
    'restarted',
    { containers: [instance('app', { attempt: 1 }), exited('app', 2)] },
    'Running',
    'app: running #1 ready started | Error 2',
  ],
  [
    'crash loop',
    { containers: [exited('app', 2, 4), exited('app', 1, 3)], failures: { app: 'CrashLoopBackOff' } },
    'Running',
    'app: waiting CrashLoopBackOff #4 | Error 2',
  ],
  ['ended, no reason cached, Always', { containers: [exited('app', 2)] }, 'Running', 'app: Error 2 #0'],
  [
    'ended well, Never',
    { spec: { restartPolicy: 'Never' }, containers: [exited('app')], failures: { app: 'CrashLoopBackOff' } },
    'Succeeded',
    'app: Completed 0 #0',
  ],
  ['failed, Never', { spec: { restartPolicy: 'Never' }, containers: [exited('app', 1)] }, 'Failed', 'app: Error 1 #0'],
  [
    'failed, OnFailure',
    { spec: { restartPolicy: 'OnFailure' }, containers: [exited('app', 1)] },
    'Running',
    'app: Error 1 #0',
  ],
  [
    'ended well, OnFailure',
    { spec: { restartPolicy: 'OnFailure' }, containers: [exited('app')] },
    'Succeeded',
    'app: Completed 0 #0',
  ],
  [
    'two containers, sorted, one not there yet',
    { spec: { containers: [{ name: 'b' }, { name: 'a' }] }, containers: [instance('b')] },
    'Pending',
    'a: waiting ContainerCreating #0; b: running #0 ready started',
  ],
  ['start-up probe not run yet', { spec: probed, containers: [instance('app')] }, 'Running', 'app: running #0'],
  [
    'start-up probe passed',
    { spec: probed, containers: [instance('app')], results: { 'app-0 startup': 'success' } },
    'Running',
    'app: running #0 started',
  ],
  [
    'readiness failed',
    {
      spec: probed,
      containers: [instance('app')],
      results: { 'app-0 startup': 'success', 'app-0 readiness': 'failure' },
    },
    'Running',
    'app: running #0 started',
  ],
  [
    'readiness passed',
    {
      spec: probed,
      containers: [instance('app')],
      results: { 'app-0 startup': 'success', 'app-0 readiness': 'success' },
    },
    'Running',
    'app: running #0 ready started',
  ],
  [
    'an ended container is not ready whatever its probe said',
    {
      spec: probed,
      containers: [exited('app', 1)],
      results: { 'app-0 startup': 'success', 'app-0 readiness': 'success' },
    },
    'Running',
    'app: Error 1 #0',
  ],
  [
    'the engine forgot the ended one',
    {
      spec: { restartPolicy: 'Never' },
      previous: status({ spec: { restartPolicy: 'Never' }, containers: [exited('app', 1)] }),
    },
    'Failed',
    'app: Error 1 #0',
  ],
  [
    'the restart count goes on from the status',
    {
      containers: [instance('app')],
      previous: {
        containerStatuses: [
          {
            name: 'app',
            state: { terminated: { exitCode: 1, reason: 'Error' } },
            ready: false,
            restartCount: 3,
            image: '',
            imageID: '',
            containerID: 'docker://old',
          },
        ],
      },
    },
    'Running',
    'app: running #3 ready started | Error 1',
  ],
  [
    'a running one has vanished',
    { previous: runningBefore },
    'Running',
    'app: waiting ContainerCreating #2 | ContainerStatusUnknown 137',
  ],
  [
    'a running one has vanished from a pod that is deleted',
    { previous: runningBefore, terminating: true },
    'Running',
    'app: ContainerStatusUnknown 137 #2',
  ],
  [
    'state unknown after running',
    { containers: [instance('app', { id: 'gone', attempt: 2, state: 'unknown' })], previous: runningBefore },
    'Running',
    'app: ContainerStatusUnknown 137 #2',
  ],
  [
    "terminating: no waiting for a start that won't come",
    { containers: [exited('app', 1)], failures: { app: 'CrashLoopBackOff' }, terminating: true },
    'Running',
    'app: Error 1 #0',
  ],
  [
    'terminating and over, 1.27',
    { containers: [exited('app', 1)], terminating: true, minor: 27 },
    'Failed',
    'app: Error 1 #0',
  ],
  [
    'terminating and over with success, 1.27',
    { containers: [exited('app')], terminating: true, minor: 27 },
    'Succeeded',
    'app: Completed 0 #0',
  ],
  [
    'terminating, still running, 1.27',
    { containers: [instance('app')], terminating: true, minor: 27 },
    'Running',
    'app: running #0 ready started',
  ],
  [
    'terminating before anything ran, 1.27',
    { terminating: true, minor: 27 },
    'Failed',
    'app: ContainerStatusUnknown 137 #0',
  ],
  [
    'terminating before its init containers were done, 1.27',
    { spec: { initContainers: init }, terminating: true, minor: 27 },
    'Failed',
    'app: waiting PodInitializing #0',
    'i1: waiting PodInitializing #0; i2: waiting PodInitializing #0',
  ],
  [
    'the API says Failed: it stays so',
    { status: { phase: 'Failed' }, containers: [instance('app')] },
    'Failed',
    'app: running #0 ready started',
  ],
  [
    'said Succeeded before: it stays so',
    { previous: { phase: 'Succeeded' }, containers: [instance('app')] },
    'Succeeded',
    'app: running #0 ready started',
  ],
  [
    'sidecar not started: pending',
    { spec: sidecar, minor: 30, containers: [instance('side', { state: 'created' })] },
    'Pending',
    'app: waiting PodInitializing #0',
    'side: waiting PodInitializing #0',
  ],
  [
    'sidecar and app run',
    { spec: sidecar, minor: 30, containers: [instance('app'), instance('side')] },
    'Running',
    'app: running #0 ready started',
    'side: running #0 ready started',
  ],
  [
    'sidecar restarts beside the app',
    { spec: sidecar, minor: 30, containers: [instance('app'), exited('side')], failures: { side: 'CrashLoopBackOff' } },
    'Running',
    'app: running #0 ready started',
    'side: waiting CrashLoopBackOff #0 | Completed 0',
  ],
  [
    'app done, sidecar still runs',
    { spec: { ...sidecar, restartPolicy: 'Never' }, minor: 30, containers: [exited('app'), instance('side')] },
    'Running',
    'app: Completed 0 #0',
    'side: running #0 ready started',
  ],
  [
    'app done, sidecar killed',
    { spec: { ...sidecar, restartPolicy: 'Never' }, minor: 30, containers: [exited('app'), exited('side', 137)] },
    'Succeeded',
    'app: Completed 0 #0',
    'side: Error 137 #0',
  ],
];

for (const [name, scene, phase, app, inits] of cases) {
  t.test(name, async (t) => {
    const got = status(scene);
    t.equal(got.phase, phase);
    t.equal(shown(got), app);
    t.equal(shown(got, 'initContainerStatuses'), inits ?? '');
  });
}

const conditionCases: [string, Scene, string][] = [
  [
    'init containers to come',
    { spec: { initContainers: init } },
    'Initialized=False ContainersNotInitialized, Ready=False ContainersNotReady, ContainersReady=False ContainersNotReady, PodScheduled=True',
  ],
  [
    'succeeded',
    { spec: { restartPolicy: 'Never' }, containers: [exited('app')] },
    'Initialized=True PodCompleted, Ready=False PodCompleted, ContainersReady=False PodCompleted, PodScheduled=True',
  ],
  [
    'failed, 1.20',
    { spec: { restartPolicy: 'Never' }, containers: [exited('app', 1)] },
    'Initialized=True, Ready=False ContainersNotReady, ContainersReady=False ContainersNotReady, PodScheduled=True',
  ],
  [
    'failed, 1.30',
    { minor: 30, spec: { restartPolicy: 'Never' }, containers: [exited('app', 1)] },
    'PodReadyToStartContainers=True, Initialized=True, Ready=False PodFailed, ContainersReady=False PodFailed, PodScheduled=True',
  ],
  [
    'no sandbox, 1.30',
    { minor: 30, sandboxes: [] },
    'PodReadyToStartContainers=False, Initialized=True, Ready=False ContainersNotReady, ContainersReady=False ContainersNotReady, PodScheduled=True',
  ],
  [
    "others' conditions stay as the API has them",
    {
      status: {
        conditions: [
          { type: 'x/y', status: 'False' },
          { type: 'Ready', status: 'False' },
        ],
      },
      previous: {
        conditions: [
          { type: 'x/y', status: 'True' },
          { type: 'old', status: 'True' },
        ],
      },
      containers: [instance('app')],
    },
    'x/y=False, Initialized=True, Ready=True, ContainersReady=True, PodScheduled=True',
  ],
  [
    'readiness gate missing',
    { spec: { readinessGates: [{ conditionType: 'x/y' }] }, containers: [instance('app')] },
    'Initialized=True, Ready=False ReadinessGatesNotReady, ContainersReady=True, PodScheduled=True',
  ],
  [
    'readiness gate open',
    {
      spec: { readinessGates: [{ conditionType: 'x/y' }] },
      status: { conditions: [{ type: 'x/y', status: 'True' }] },
      containers: [instance('app')],
    },
    'x/y=True, Initialized=True, Ready=True, ContainersReady=True, PodScheduled=True',
  ],
];

for (const [name, scene, wanted] of conditionCases) {
  t.test(`conditions: ${name}`, async (t) => t.equal(conditions(status(scene)), wanted));
}

t.test('messages of conditions', async (t) => {
  const message = (got: V1PodStatus, type: string) => got.conditions?.find((one) => one.type === type)?.message;
  const got = status({ spec: { initContainers: init }, containers: [exited('i1')] });
  t.equal(message(got, 'Initialized'), 'containers with incomplete status: [i2]');
  t.equal(message(got, 'Ready'), 'containers with unready status: [app]');
  t.equal(
    message(status({ spec: { readinessGates: [{ conditionType: 'x/y' }] }, containers: [instance('app')] }), 'Ready'),
    'corresponding condition of pod readiness gate "x/y" does not exist.',
  );
});

t.test('reasons of the kubelet', async (t) => {
  const failure = {
    reason: 'DeadlineExceeded',
    message: 'Pod was active on the node longer than the specified deadline',
  };
  const got = status({ containers: [instance('app')], failure });
  t.match(got, { phase: 'Failed', ...failure });
  t.match(status({ containers: [], previous: got, terminating: true }), { phase: 'Failed', ...failure }, 'kept later');
});

t.test('addresses', async (t) => {
  const last = { podIP: '10.1.0.4', podIPs: [{ ip: '10.1.0.4' }] };
  const dead = { ...sandbox, state: 'notReady', ips: [] } as const;
  t.match(status({ sandboxes: [dead], previous: last }), last, 'the last known stays');
  t.match(status({ sandboxes: [dead], status: last }), last, 'after a start of the kubelet too');
  t.match(status({ sandboxes: [sandbox, dead], previous: last }), { podIP: '10.1.0.5' });
  t.equal(status({ sandboxes: [] }).podIP, undefined);
  t.match(status({ sandboxes: [], spec: { hostNetwork: true } }), {
    podIP: '192.168.0.2',
    podIPs: [{ ip: '192.168.0.2' }],
  });
  t.equal(status().hostIPs, undefined, 'not for 1.20');
  t.strictSame(status({ minor: 29 }).hostIPs, [{ ip: '192.168.0.2' }]);
});

t.test('newer servers', async (t) => {
  t.equal(status({ metadata: { generation: 4 } }).observedGeneration, undefined);
  const got = status({ metadata: { generation: 4 }, minor: 35 });
  t.equal(got.observedGeneration, 4);
  t.ok(got.conditions?.every(({ observedGeneration }) => observedGeneration === 4));
});

t.test('ephemeral containers', async (t) => {
  const spec = { ephemeralContainers: [{ name: 'debug', image: 'busybox' }] };
  t.equal(
    shown(
      status({ spec, containers: [instance('app'), exited('debug', 1)], failures: { debug: 'CrashLoopBackOff' } }),
      'ephemeralContainerStatuses',
    ),
    'debug: Error 1 #0',
  );
  t.equal(
    shown(
      status({ spec, containers: [instance('app')], failures: { debug: 'ErrImagePull' } }),
      'ephemeralContainerStatuses',
    ),
    'debug: waiting ErrImagePull #0',
  );
});
