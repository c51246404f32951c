import t from 'tap';
import type { V1Container, V1PodSpec, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import type { RuntimeContainer, RuntimeSandbox } from '../../../../src/kubelet/types.js';
import { computePodActions } from '../../../../src/kubelet/workers/compute-pod-actions.js';
import { makeInstance, makePod, makeSandbox, START_MS } from './worker-fakes.js';

const a: V1Container = { name: 'a', image: 'i' };
const b: V1Container = { name: 'b', image: 'i' };
const init1: V1Container = { name: 'init1', image: 'i' };
const init2: V1Container = { name: 'init2', image: 'i' };
const side: V1Container = { name: 'side', image: 'i', restartPolicy: 'Always' };
const slowSide: V1Container = { ...side, startupProbe: {} };
const debug = { name: 'debug', image: 'i' };

const running = (container: V1Container, change: Partial<RuntimeContainer> = {}) => makeInstance(container, change);
const exited = (container: V1Container, exitCode: number, change: Partial<RuntimeContainer> = {}) =>
  makeInstance(container, { state: 'exited', exitCode, finishedAtMs: START_MS, ...change });
const unknown = (container: V1Container) => makeInstance(container, { state: 'unknown' });

interface Case {
  readonly name: string;
  readonly spec: Partial<V1PodSpec>;
  readonly sandboxes?: readonly RuntimeSandbox[];
  readonly containers?: readonly RuntimeContainer[];
  readonly probes?: Readonly<Record<string, 'success' | 'failure' | 'unknown'>>;
  /** Of every container. */
  readonly backoffMs?: number;
  readonly previous?: V1PodStatus;
  /** What the clock shows now, from when an instance ended. */
  readonly passedMs?: number;
  /** `killPod`, `sandbox 0`, `start a 0`, `kill a`, `purge a-0`, `wait a 10`. */
  readonly want: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'a new pod', spec: { containers: [a, b] }, sandboxes: [], want: ['sandbox 0', 'start a 0', 'start b 0'] },
  {
    name: 'a new pod with init containers starts the first alone',
    spec: { initContainers: [init1, init2], containers: [a] },
    sandboxes: [],
    want: ['sandbox 0', 'start init1 0'],
  },
  { name: 'all run', spec: { containers: [a, b] }, containers: [running(a), running(b)], want: [] },
  {
    name: 'one is missing',
    spec: { containers: [a, b] },
    containers: [running(a)],
    want: ['start b 0'],
  },
  {
    name: 'created but never started',
    spec: { containers: [a], restartPolicy: 'Never' },
    containers: [makeInstance(a, { state: 'created', attempt: 2 }), exited(a, 1, { attempt: 1 })],
    want: ['purge a-2', 'start a 2'],
  },
  {
    name: 'the clock was set back after a crash: nobody knows how long ago that was',
    spec: { containers: [a] },
    containers: [exited(a, 1)],
    backoffMs: 10_000,
    passedMs: -3_600_000,
    want: ['start a 1'],
  },
  {
    name: 'a crash in this very millisecond',
    spec: { containers: [a] },
    containers: [exited(a, 1)],
    backoffMs: 10_000,
    passedMs: -0.5,
    want: ['wait a 10'],
  },
  { name: 'Always restarts a success', spec: { containers: [a] }, containers: [exited(a, 0)], want: ['start a 1'] },
  {
    name: 'OnFailure leaves a success',
    spec: { containers: [a, b], restartPolicy: 'OnFailure' },
    containers: [exited(a, 0), running(b)],
    want: [],
  },
  {
    name: 'OnFailure restarts a failure',
    spec: { containers: [a, b], restartPolicy: 'OnFailure' },
    containers: [exited(a, 1), exited(b, 0)],
    want: ['start a 1'],
  },
  {
    name: 'OnFailure ends when all succeeded',
    spec: { containers: [a], restartPolicy: 'OnFailure' },
    containers: [exited(a, 0)],
    want: ['killPod'],
  },
  {
    name: 'Never ends with a failure',
    spec: { containers: [a], restartPolicy: 'Never' },
    containers: [exited(a, 1)],
    want: ['killPod'],
  },
  {
    name: 'Never still starts what has not run',
    spec: { containers: [a, b], restartPolicy: 'Never' },
    containers: [exited(a, 1)],
    want: ['start b 0'],
  },
  {
    name: 'the newest instance counts',
    spec: { containers: [a] },
    containers: [exited(a, 1, { attempt: 3 }), exited(a, 1, { attempt: 2 })],
    want: ['start a 4'],
  },
  {
    name: 'restart counts go on where the engine has lost its containers',
    spec: { containers: [a] },
    previous: {
      containerStatuses: [
        { name: 'a', ready: true, restartCount: 4, image: '', imageID: '', containerID: 'docker://x' },
      ],
    },
    want: ['start a 5'],
  },
  {
    name: 'a changed definition restarts whatever the policy',
    spec: { containers: [a, b], restartPolicy: 'Never' },
    containers: [running(a, { hash: 'old' }), running(b)],
    want: ['kill a: Container a definition changed, will be restarted', 'start a 1'],
  },
  {
    name: 'a failed liveness probe',
    spec: { containers: [a] },
    containers: [running(a)],
    probes: { 'liveness a-0': 'failure' },
    want: ['kill a: Container a failed liveness probe, will be restarted', 'start a 1'],
  },
  {
    name: 'a failed startup probe',
    spec: { containers: [a], restartPolicy: 'OnFailure' },
    containers: [running(a)],
    probes: { 'startup a-0': 'failure' },
    want: ['kill a: Container a failed startup probe, will be restarted', 'start a 1'],
  },
  {
    name: 'a failed liveness probe under Never is killed and not restarted',
    spec: { containers: [a], restartPolicy: 'Never' },
    containers: [running(a)],
    probes: { 'liveness a-0': 'failure' },
    want: ['kill a: Container a failed liveness probe'],
  },
  {
    name: 'another probe or an unknown result kills nothing',
    spec: { containers: [a] },
    containers: [running(a)],
    probes: { 'readiness a-0': 'failure', 'liveness a-0': 'unknown' },
    want: [],
  },
  {
    name: 'an unknown state is killed first',
    spec: { containers: [a] },
    containers: [unknown(a)],
    want: ['kill a: Container is in "unknown" state, try killing it before restart', 'start a 1'],
  },
  {
    name: 'in a back-off',
    spec: { containers: [a, b] },
    containers: [exited(a, 1), running(b)],
    backoffMs: 10_000,
    want: ['wait a 10'],
  },
  {
    name: 'all in a back-off does not end the pod',
    spec: { containers: [a] },
    containers: [exited(a, 1)],
    backoffMs: 20_000,
    want: ['wait a 20'],
  },
  {
    name: 'the back-off is over at the very millisecond',
    spec: { containers: [a] },
    containers: [exited(a, 1, { finishedAtMs: START_MS - 10_000 })],
    backoffMs: 10_000,
    want: ['start a 1'],
  },
  {
    name: 'an init container that runs holds all',
    spec: { initContainers: [init1], containers: [a] },
    containers: [running(init1)],
    want: [],
  },
  {
    name: 'the next init container',
    spec: { initContainers: [init1, init2], containers: [a] },
    containers: [exited(init1, 0)],
    want: ['start init2 0'],
  },
  {
    name: 'init is done',
    spec: { initContainers: [init1, init2], containers: [a] },
    containers: [exited(init2, 0)],
    want: ['start a 0'],
  },
  {
    name: 'a failed init container is tried again',
    spec: { initContainers: [init1], containers: [a] },
    containers: [exited(init1, 1)],
    want: ['start init1 1'],
  },
  {
    name: 'a failed init container waits for its back-off',
    spec: { initContainers: [init1], containers: [a], restartPolicy: 'OnFailure' },
    containers: [exited(init1, 1)],
    backoffMs: 10_000,
    want: ['wait init1 10'],
  },
  {
    name: 'a failed init container under Never ends the pod',
    spec: { initContainers: [init1, init2], containers: [a], restartPolicy: 'Never' },
    containers: [exited(init1, 1)],
    want: ['killPod'],
  },
  {
    name: 'collected init containers do not run again',
    spec: { initContainers: [init1, init2], containers: [a] },
    containers: [running(a)],
    want: [],
  },
  {
    name: 'init containers of an earlier sandbox do not count',
    spec: { initContainers: [init1], containers: [a] },
    containers: [exited(init1, 0, { sandboxId: 'old' }), exited(a, 1, { sandboxId: 'old' })],
    want: ['start init1 1'],
  },
  {
    name: 'a sidecar runs and the next one starts',
    spec: { initContainers: [side, init1], containers: [a] },
    containers: [running(side)],
    want: ['start init1 0'],
  },
  {
    name: 'a sidecar that has not started up holds the next one',
    spec: { initContainers: [slowSide, init1], containers: [a] },
    containers: [running(slowSide)],
    want: [],
  },
  {
    name: 'a sidecar that has started up',
    spec: { initContainers: [slowSide], containers: [a] },
    containers: [running(slowSide)],
    probes: { 'startup side-0': 'success' },
    want: ['start a 0'],
  },
  {
    name: 'a sidecar that ended is restarted beside app containers, even under Never',
    spec: { initContainers: [side], containers: [a], restartPolicy: 'Never' },
    containers: [exited(side, 0), running(a)],
    want: ['start side 1'],
  },
  {
    name: 'a sidecar that ended during init is restarted and init goes on',
    spec: { initContainers: [side, init1, init2], containers: [a] },
    containers: [exited(init1, 0), exited(side, 1)],
    want: ['start side 1', 'start init2 0'],
  },
  {
    name: 'a sidecar that failed its liveness probe',
    spec: { initContainers: [side], containers: [a], restartPolicy: 'Never' },
    containers: [running(side), running(a)],
    probes: { 'liveness side-0': 'failure' },
    want: ['kill side: Container side failed liveness probe, will be restarted', 'start side 1'],
  },
  {
    name: 'sidecars do not keep a pod alive',
    spec: { initContainers: [side], containers: [a], restartPolicy: 'Never' },
    containers: [running(side), exited(a, 0)],
    want: ['killPod'],
  },
  {
    name: 'an ephemeral container starts even before init is done',
    spec: { initContainers: [init1], containers: [a], ephemeralContainers: [debug] },
    containers: [running(init1)],
    want: ['start debug 0'],
  },
  {
    name: 'an ephemeral container is never restarted',
    spec: { containers: [a], ephemeralContainers: [debug] },
    containers: [running(a), exited(debug, 1)],
    want: [],
  },
  {
    name: 'an ephemeral container does not keep a pod alive',
    spec: { containers: [a], ephemeralContainers: [debug], restartPolicy: 'Never' },
    containers: [exited(a, 0), running(debug)],
    want: ['killPod'],
  },
  {
    name: 'the sandbox has died',
    spec: { containers: [a] },
    sandboxes: [makeSandbox({ state: 'notReady', attempt: 2 })],
    containers: [running(a)],
    want: ['killPod', 'sandbox 3', 'start a 1'],
  },
  {
    name: 'a new sandbox begins with init again',
    spec: { initContainers: [init1, init2], containers: [a] },
    sandboxes: [makeSandbox({ state: 'notReady' })],
    containers: [exited(a, 137), exited(init1, 0)],
    want: ['killPod', 'purge init1-0', 'sandbox 1', 'start init1 1'],
  },
  {
    name: 'two sandboxes are ready',
    spec: { containers: [a] },
    sandboxes: [makeSandbox({ id: 's1', attempt: 1 }), makeSandbox()],
    want: ['killPod', 'sandbox 2', 'start a 0'],
  },
  {
    name: 'a sandbox without an address',
    spec: { containers: [a] },
    sandboxes: [makeSandbox({ ips: [] })],
    want: ['killPod', 'sandbox 1', 'start a 0'],
  },
  {
    name: 'on the host’s network a sandbox needs none',
    spec: { containers: [a], hostNetwork: true },
    sandboxes: [makeSandbox({ ips: [], hostNetwork: true })],
    want: ['start a 0'],
  },
  {
    name: 'the sandbox died under Never after containers ran',
    spec: { containers: [a], restartPolicy: 'Never' },
    sandboxes: [makeSandbox({ state: 'notReady' })],
    containers: [exited(a, 137)],
    want: ['killPod'],
  },
  {
    name: 'the sandbox died under Never before any container was made',
    spec: { containers: [a], restartPolicy: 'Never' },
    sandboxes: [makeSandbox({ state: 'notReady' })],
    want: ['killPod', 'sandbox 1', 'start a 0'],
  },
  {
    name: 'the sandbox died under OnFailure: what succeeded is not run again',
    spec: { containers: [a, b], restartPolicy: 'OnFailure' },
    sandboxes: [makeSandbox({ state: 'notReady' })],
    containers: [exited(a, 0), exited(b, 1)],
    want: ['killPod', 'sandbox 1', 'start b 1'],
  },
  {
    name: 'the sandbox died under OnFailure when all had succeeded',
    spec: { containers: [a], restartPolicy: 'OnFailure' },
    sandboxes: [makeSandbox({ state: 'notReady' })],
    containers: [exited(a, 0)],
    want: ['killPod'],
  },
];

for (const {
  name,
  spec,
  sandboxes,
  containers = [],
  probes = {},
  backoffMs = 0,
  previous,
  passedMs = 0,
  want,
} of cases) {
  t.test(name, async (t) => {
    const actions = computePodActions({
      pod: makePod('p', spec),
      status: { uid: 'p', name: 'p', namespace: 'ns', sandboxes: sandboxes ?? [makeSandbox()], containers },
      probes: { result: (id, kind) => probes[`${kind} ${id}`] },
      nowMs: START_MS + passedMs,
      backoff: { delayMs: () => backoffMs },
      previous,
    });
    const got = [
      ...(actions.killPod ? ['killPod'] : []),
      ...actions.kill.map(({ instance, message }) => `kill ${instance.name}: ${message}`),
      ...actions.purge.map(({ id }) => `purge ${id}`),
      ...(actions.newSandbox ? [`sandbox ${actions.newSandbox.attempt}`] : []),
      ...actions.start.map(({ container, attempt }) => `start ${container.name} ${attempt}`),
      ...actions.backingOff.map(({ container, untilMs }) => `wait ${container.name} ${(untilMs - START_MS) / 1000}`),
    ];
    t.same(got, want);
    const waits = actions.backingOff.map(({ untilMs }) => untilMs);
    t.equal(actions.nextWakeMs, waits.length > 0 ? Math.min(...waits) : undefined);
  });
}
