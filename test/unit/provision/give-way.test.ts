import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { InstallOptions, KubeletChoice } from '../../../src/config/types.js';
import { openJournal } from '../../../src/host/journal.js';
import { kubeletContainer } from '../../../src/nodeagent/kubelet-container.js';
import { readRecord } from '../../../src/provision/cluster-record.js';
import { podLabels } from '../../../src/provision/component-containers.js';
import { kubeletTimeoutMs, startAgent, withKubelet } from '../../../src/provision/give-way.js';
import type { InstallContext } from '../../../src/provision/install-context.js';
import { journaledAgent, plannedContainer } from '../../../src/provision/node-agent.js';
import { planKubelet } from '../../../src/provision/plan-kubelet.js';
import type { Runtime } from '../../../src/provision/runtime.js';
import { releaseFor } from '../../../src/release/release-for.js';
import { makeCluster } from '../../builders/cluster.js';
import { makeNodeAgentInputs } from '../../builders/inputs.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { type ManualClock, makeManualClock } from '../../fakes/manual-clock.js';
import { makeHost, makeTempDir } from '../host/support.js';

const hyperkube = 'k8s.gcr.io/hyperkube:v1.20.2';
const builtinImage = 'hyperup/kubelet:1.2.3';
const program = '/opt/hyperup/dist/cli/kubelet.js';
const log = ['I1122 starting', 'F1122 no such cgroup'].map((line) => ({ stream: 'stderr', line }) as const);

/** An install whose Go kubelet was started, on an engine in memory and a machine without mounts and cgroups. */
async function makeScene(t: Test, choice: KubeletChoice = 'auto') {
  const dir = await makeTempDir(t);
  const stateDir = join(dir, 'state');
  await mkdir(stateDir);
  const paths = { ...makeCluster().paths, stateDir, kubeletDir: join(dir, 'kubelet') };
  const cluster = makeCluster({ kubelet: choice, paths });
  const clock: ManualClock = makeManualClock(Date.UTC(2026, 0, 1));
  const engine = makeFakeEngine(() => clock.now());
  engine.addImage(hyperkube);
  engine.addImage(builtinImage);
  const inputs = makeNodeAgentInputs('v1.20.2', { cluster });
  const go = kubeletContainer(inputs, 'standalone');
  engine.arrangeProgram(go.command, { exit: 'never', output: log });
  const own = plannedContainer('builtin', inputs, { packageVersion: '1.2.3' });
  engine.arrangeProgram([...(own.entrypoint ?? []), ...own.command], { exit: 'never' });
  engine.arrangeProgram(['etcd'], { exit: 'never' });
  const journal = await openJournal({ dir: stateDir, clock });
  t.teardown(() => journal.close());
  await journal.record({ kind: 'pods', kubeletDir: paths.kubeletDir, nodeName: cluster.nodeName });
  const events: ProgressEvent[] = [];
  const emit = (event: ProgressEvent) => events.push(event);
  const runtime: Runtime = {
    clock,
    logger: silentLogger,
    host: await makeHost(t, { '/proc/self/mountinfo': '' }),
    env: {},
    renderer: 'silent',
    emit,
    signal: new AbortController().signal,
    packageRoot: dir,
    packageVersion: '1.2.3',
  };
  const options = { cluster, timeoutMs: 180_000, kubeconfigPath: '/k', images: { cacheDir: dir } };
  const release = releaseFor('v1.20.2');
  const context: InstallContext = {
    options: options as unknown as InstallOptions,
    runtime,
    plan: planKubelet(choice, release),
    record: undefined,
    release,
    kubelet: 'hyperkube',
    dnsPlan: ['none'],
    dns: 'none',
    repairing: false,
    slots: { engine, journal, nodeAgentInputs: inputs },
  };
  const agent = await journaledAgent(context, 'standalone');
  context.slots.standalone = agent;
  context.slots.nodeAgent = agent;
  await startAgent(agent);
  await engine.createContainer({
    name: 'k8s_etcd',
    image: hyperkube,
    command: ['etcd'],
    labels: {
      [podLabels.dockerType]: 'container',
      [podLabels.podNamespace]: 'kube-system',
      [podLabels.containerName]: 'etcd',
      [podLabels.podName]: 'etcd-node-1',
    },
  });
  const io = { emit, wait: () => {} };
  const obtain = async () => ({ image: builtinImage, program });
  const containers = async () =>
    (await engine.listContainers({ all: true })).map(({ name, image }) => `${name} ${image}`);
  const notes = () => events.flatMap((event) => (event.type === 'note' ? [event.message] : []));
  return { context, engine, clock, journal, io, obtain, containers, notes, stateDir };
}

const fault = new HyperupError('Unhealthy', 'start the kubelet: no answer', {
  details: { component: 'kubelet' },
  output: 'I1122 one\nF1122 last words\n',
});

t.test('the built-in kubelet takes the place of a Go kubelet that fails', async (t) => {
  const { context, journal, io, obtain, containers, notes, stateDir } = await makeScene(t);
  const before = journal.entries().map(({ change }) => change.kind);
  let calls = 0;
  const value = await withKubelet(
    context,
    io,
    async () => {
      calls += 1;
      if (calls === 1) throw fault;
      return 'done';
    },
    { obtain },
  );
  t.equal(value, 'done', 'the work was done again');
  t.equal(calls, 2);
  t.same(await containers(), [`hyperup-kubelet ${builtinImage}`], "the Go kubelet's container and its pods' are gone");
  t.match(notes(), [
    /built-in one takes its place: start the kubelet: no answer\n {2}\| I1122 one\n {2}\| F1122 last words$/,
  ]);
  t.equal(context.kubelet, 'builtin');
  t.equal(context.slots.standalone, undefined, 'nothing is left to be joined');
  t.match(await readRecord(stateDir), { kubelet: 'builtin', layout: 'hyperkube', state: 'installing' });
  t.match(await readRecord(stateDir), { cluster: { kubelet: 'auto' } }, 'what was asked for stays');
  const after = journal.entries().map(({ change }) => change.kind);
  t.same(
    after.filter((kind) => kind !== 'file'),
    before,
    'the journal has one entry for either kubelet',
  );
});

t.test('once only: the built-in kubelet does not give way', async (t) => {
  const { context, io, obtain, notes } = await makeScene(t);
  const work = async () => {
    throw fault;
  };
  await t.rejects(withKubelet(context, io, work, { obtain }), { code: 'Unhealthy' });
  await t.rejects(withKubelet(context, io, work, { obtain }), { code: 'Unhealthy' });
  t.equal(notes().length, 1);
});

const others: readonly { readonly name: string; readonly choice?: KubeletChoice; readonly error: HyperupError }[] = [
  { name: 'one who insists on the Go kubelet', choice: 'hyperkube', error: fault },
  {
    name: 'another component that fails',
    error: new HyperupError('Unhealthy', 'start etcd', { details: { component: 'etcd' } }),
  },
  { name: 'an engine that is gone', error: new HyperupError('EngineUnreachable', 'gone') },
  { name: 'an interruption', error: new HyperupError('Aborted', 'interrupted') },
  {
    name: 'a full disk, which would stop the other one too',
    error: new HyperupError('Unhealthy', 'start the kubelet', {
      details: { component: 'kubelet' },
      output: 'write /var/lib/kubelet/x: no space left on device',
    }),
  },
];

for (const { name, choice = 'auto', error } of others) {
  t.test(`nothing gives way: ${name}`, async (t) => {
    const { context, io, obtain, containers, notes } = await makeScene(t, choice);
    const work = async () => {
      throw error;
    };
    t.equal(await withKubelet(context, io, work, { obtain }).catch((thrown: unknown) => thrown), error);
    t.same(notes(), []);
    t.equal((await containers()).length, 2, 'all runs on');
  });
}

/** Work that ends only when it is told to, the first time. */
function endlessOnce() {
  let calls = 0;
  return async (signal: AbortSignal) => {
    calls += 1;
    if (calls > 1) return 'done';
    return await new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => reject(new HyperupError('Aborted', 'interrupted')));
    });
  };
}

/** Lets the watch look until there is something to be told. */
async function passTime(clock: ManualClock, isOver: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !isOver(); turn += 1) {
    await clock.advanceAndRun(500);
    for (let tick = 0; tick < 5; tick += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

t.test('a Go kubelet that ends while something is awaited of it', async (t) => {
  const { context, engine, clock, io, obtain, notes } = await makeScene(t);
  const working = withKubelet(context, io, endlessOnce(), { obtain, first: 'etcd' });
  const [kubelet] = await engine.listContainers({ labels: ['io.hyperup.role=kubelet-standalone'] });
  engine.exitContainer(kubelet?.id ?? '', 255);
  await passTime(clock, () => notes().length > 0);
  t.equal(await working, 'done');
  t.match(notes(), [/it ends right after its start[\s\S]*no such cgroup/]);
});

t.test('one that makes no container in a minute', async (t) => {
  const { context, clock, io, obtain, notes } = await makeScene(t);
  const startedMs = clock.monotonicMs();
  const working = withKubelet(context, io, endlessOnce(), { obtain, first: 'kube-scheduler' });
  await passTime(clock, () => notes().length > 0);
  t.equal(await working, 'done');
  t.match(notes(), [/no container of kube-scheduler in 60 s/]);
  t.equal(clock.monotonicMs() - startedMs, 60_000);
});

t.test('one that makes its containers has all the time there is', async (t) => {
  const { context, clock, io, obtain, notes } = await makeScene(t);
  const controller = new AbortController();
  const working = withKubelet(
    { ...context, runtime: { ...context.runtime, signal: controller.signal } },
    io,
    endlessOnce(),
    { obtain, first: 'etcd' },
  );
  await passTime(clock, () => clock.monotonicMs() > 170_000);
  t.same(notes(), []);
  controller.abort();
  await t.rejects(working, { code: 'Aborted' });
});

t.test('how long a kubelet has to be healthy', async (t) => {
  const auto = await makeScene(t);
  t.equal(kubeletTimeoutMs(auto.context), 60_000);
  t.equal(kubeletTimeoutMs({ ...auto.context, kubelet: 'builtin' }), 180_000, 'there is no other');
  t.equal(kubeletTimeoutMs((await makeScene(t, 'hyperkube')).context), 180_000);
});

t.test('an engine that refuses the start', async (t) => {
  const { context, engine, io, obtain, notes } = await makeScene(t);
  engine.failNext('startContainer', new HyperupError('EngineFailed', 'start container: exec format error'));
  const agent = await journaledAgent(context, 'standalone');
  await withKubelet(context, io, async () => (context.kubelet === 'builtin' ? undefined : startAgent(agent)), {
    obtain,
  });
  t.match(notes(), [/takes its place: start container: exec format error/]);
});
