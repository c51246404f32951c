import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { V1Pod, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import { createPodIntake, type IntakeRejection, type IntakeSources } from '../../../../src/kubelet/pod/pod-intake.js';
import { createPodManager } from '../../../../src/kubelet/pod/pod-manager.js';
import type { RuntimePodSummary } from '../../../../src/kubelet/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

function makePod(name: string, metadata: V1Pod['metadata'] = {}, status?: V1PodStatus): V1Pod {
  return {
    metadata: { name, namespace: 'ns', uid: name, ...metadata },
    spec: { containers: [] },
    ...(status ? { status } : {}),
  };
}
const makeStatic = (name: string) => makePod(name, { annotations: { 'kubernetes.io/config.source': 'file' } });
const makeMirror = (name: string, uid = `m-${name}`) =>
  makePod(name, { uid, annotations: { 'kubernetes.io/config.mirror': name, 'kubernetes.io/config.source': 'file' } });
const ending = { deletionTimestamp: '2021-01-13T13:00:00Z' };
const summary = (uid: string): RuntimePodSummary => ({
  uid,
  name: uid,
  namespace: 'ns',
  running: true,
  terminationGraceSeconds: undefined,
});
const full: IntakeRejection = { reason: 'OutOfcpu', message: 'no room', dependsOnNode: true };
const port: IntakeRejection = { reason: 'NodePorts', message: 'port taken', dependsOnNode: false };

function makeScene(sources: IntakeSources = { api: true, files: true }) {
  const told: string[] = [];
  const manager = createPodManager();
  const known = new Set<string>();
  const terminated = new Set<string>();
  const statuses = new Map<string, V1PodStatus>();
  const settings = {
    rejections: new Map<string, IntakeRejection>(),
    /** What the node's renewal changes. */
    onRefresh: async () => {},
    victims: undefined as readonly V1Pod[] | undefined,
    engine: [] as RuntimePodSummary[],
    disk: [] as string[],
  };
  /** Whom the last pod had beside it. */
  const beside: string[] = [];
  const nameOf = (pod: V1Pod) => pod.metadata?.name ?? '';
  const intake = createPodIntake(
    {
      clock: makeManualClock(Date.parse('2021-01-13T13:00:00Z')),
      logger: silentLogger,
      manager,
      events: { pod: (pod, type, reason) => told.push(`event ${nameOf(pod)} ${type} ${reason}`), node: () => {} },
      statuses: {
        get: (uid) => statuses.get(uid),
        set: (pod, status) => {
          statuses.set(pod.metadata?.uid ?? '', status);
          told.push(`status ${nameOf(pod)} ${status.phase} ${status.reason}`);
        },
        isReported: () => true,
        forget: (uid) => told.push(`forget ${uid}`),
        onPodUpdate: () => {},
      },
      workers: {
        update: (pod) => {
          known.add(pod.metadata?.uid ?? '');
          told.push(`update ${nameOf(pod)}`);
        },
        remove: (uid) => told.push(`remove ${uid}`),
        evict: (uid, { reason, graceSeconds }) => told.push(`evict ${uid} ${graceSeconds} ${reason}`),
        killOrphan: ({ uid }) => told.push(`orphan ${uid}`),
        isKnown: (uid) => known.has(uid),
        isTerminated: (uid) => terminated.has(uid),
      },
      objects: { registerPod: () => {}, unregisterPod: (uid) => told.push(`unregister ${uid}`) },
      volumes: {
        update: () => {},
        tearDown: async (uid) => {
          told.push(`tear down ${uid}`);
          if (uid === 'stuck') throw new Error('busy');
          return true;
        },
        podsOnDisk: async () => settings.disk,
      },
      reject: (pod, active) => {
        beside.splice(0, beside.length, ...active.map(nameOf));
        return settings.rejections.get(nameOf(pod));
      },
      victims: () => settings.victims,
      refreshNode: () => settings.onRefresh(),
      enginePods: () => settings.engine,
      onMirrorsStale: () => told.push('mirrors'),
    },
    sources,
  );
  return {
    intake,
    manager,
    known,
    terminated,
    statuses,
    settings,
    beside,
    add: (...pods: readonly V1Pod[]) => {
      for (const object of pods) intake.onApiPods({ type: 'added', object });
    },
    told: () => told.splice(0),
    settle: () => new Promise<void>((resolve) => void setImmediate(resolve)),
  };
}

t.test('a pod is admitted once, with the others in mind', async (t) => {
  const { intake, add, told, beside, settings } = makeScene();
  add(makePod('a'), makePod('b'));
  t.strictSame(told(), ['update a', 'update b']);
  t.strictSame(beside, ['a']);
  settings.rejections.set('a', port);
  intake.onApiPods({ type: 'modified', object: makePod('a') });
  t.strictSame(told(), ['update a'], 'later changes are not asked about');
  intake.onApiPods({ type: 'deleted', object: makePod('a') });
  t.strictSame(told(), ['unregister a', 'remove a']);
});

t.test('who counts as there', async (t) => {
  const { intake, add, statuses, terminated } = makeScene();
  add(makePod('a'), makePod('b'), makePod('c'), makePod('d', {}, { phase: 'Succeeded' }));
  statuses.set('b', { phase: 'Failed' });
  terminated.add('c');
  t.strictSame(
    intake.active().map(({ metadata }) => metadata?.name),
    ['a'],
  );
});

t.test('who is not asked: a pod of an earlier run, one that ends, one that is over', async (t) => {
  const { add, told, settings } = makeScene();
  for (const name of ['old', 'ending', 'over']) settings.rejections.set(name, port);
  add(
    makePod('old', {}, { phase: 'Running', startTime: '2021-01-13T12:00:00Z' }),
    makePod('ending', ending),
    makePod('over', {}, { phase: 'Failed' }),
  );
  t.strictSame(told(), ['update old', 'update ending', 'update over']);
});

t.test('a pod that is refused', async (t) => {
  const { intake, add, told, settings, statuses, manager } = makeScene();
  settings.rejections.set('a', port);
  add(makePod('a', {}, { phase: 'Pending', qosClass: 'BestEffort' }));
  t.strictSame(told(), ['event a Warning NodePorts', 'status a Failed NodePorts']);
  t.strictSame(statuses.get('a'), {
    phase: 'Failed',
    qosClass: 'BestEffort',
    reason: 'NodePorts',
    message: 'Pod port taken',
    startTime: '2021-01-13T13:00:00Z',
  });
  settings.rejections.clear();
  intake.onApiPods({ type: 'modified', object: makePod('a') });
  t.strictSame(told(), [], 'is refused for good');
  t.strictSame(intake.active(), []);
  intake.onApiPods({ type: 'modified', object: makePod('a', ending) });
  t.strictSame(told(), ['update a'], 'its worker sees to its end');
  intake.onApiPods({ type: 'deleted', object: makePod('a') });
  t.strictSame(told(), ['unregister a', 'remove a']);
  t.equal(manager.get('a'), undefined);
});

t.test('a refused pod that goes at once is forgotten', async (t) => {
  const { intake, add, told, settings } = makeScene();
  settings.rejections.set('a', port);
  add(makePod('a'));
  told();
  intake.onApiPods({ type: 'deleted', object: makePod('a') });
  t.strictSame(told(), ['unregister a', 'forget a']);
});

t.test('a verdict that depends on the node is given after another look at it', async (t) => {
  interface Case {
    readonly name: string;
    readonly refresh?: (scene: ReturnType<typeof makeScene>) => Promise<void>;
    readonly victims?: readonly V1Pod[];
    readonly want: readonly string[];
  }
  const refused = ['event a Warning OutOfcpu', 'status a Failed OutOfcpu'];
  const cases: readonly Case[] = [
    { name: 'nothing new', want: refused },
    {
      name: 'the node has grown',
      refresh: async ({ settings }) => void settings.rejections.clear(),
      want: ['update a'],
    },
    { name: 'the node could not be read', refresh: () => Promise.reject(new Error('no')), want: refused },
    {
      name: 'deleted meanwhile',
      refresh: async ({ intake }) => intake.onApiPods({ type: 'deleted', object: makePod('a') }),
      want: ['unregister a', 'forget a'],
    },
    {
      name: 'to be deleted meanwhile',
      refresh: async ({ intake }) => intake.onApiPods({ type: 'modified', object: makePod('a', ending) }),
      want: ['update a'],
    },
    {
      name: 'changed meanwhile',
      refresh: async ({ intake, settings }) => {
        settings.rejections.clear();
        intake.onApiPods({ type: 'modified', object: makePod('a', { labels: { b: 'c' } }) });
      },
      want: ['update a'],
    },
    {
      name: 'others make room',
      victims: [makePod('v')],
      want: ['event v Warning Preempting', 'evict v undefined Preempting', 'update a'],
    },
  ];
  for (const { name, refresh, victims, want } of cases) {
    const scene = makeScene();
    scene.settings.rejections.set('a', full);
    scene.settings.onRefresh = async () => await refresh?.(scene);
    scene.settings.victims = victims;
    scene.add(makePod('a'));
    t.strictSame(scene.intake.active(), [], `${name}: not yet`);
    await scene.settle();
    t.strictSame(scene.told(), want, name);
  }
});

t.test('a list: who is not in it is gone, oldest first', async (t) => {
  const { intake, add, told } = makeScene();
  intake.onStaticPods({ type: 'added', object: makeStatic('static') });
  add(makePod('gone'), makePod('stays'));
  told();
  intake.onApiPods({
    type: 'replaced',
    objects: [
      makePod('young', { creationTimestamp: '2021-01-13T13:00:00Z' }),
      makePod('old', { creationTimestamp: '2020-01-13T13:00:00Z' }),
      makePod('stays', { creationTimestamp: '2021-01-01T13:00:00Z' }),
    ],
  });
  t.strictSame(told(), ['unregister gone', 'remove gone', 'update old', 'update stays', 'update young', 'mirrors']);
  intake.onStaticPods({ type: 'replaced', objects: [] });
  t.strictSame(told(), ['unregister static', 'remove static', 'mirrors'], 'static pods are the files’ affair');
});

t.test('mirrors are no pods of their own', async (t) => {
  const { intake, add, told, manager } = makeScene();
  intake.onStaticPods({ type: 'added', object: makeStatic('s') });
  told();
  add(makeMirror('s'), makeMirror('orphan'));
  t.strictSame(told(), ['mirrors', 'mirrors']);
  t.equal(manager.mirrorOf('s')?.metadata?.uid, 'm-s');
  t.strictSame(
    manager.orphanMirrors().map(({ metadata }) => metadata?.name),
    ['orphan'],
  );
  intake.onApiPods({ type: 'deleted', object: makeMirror('s') });
  t.equal(manager.mirrorOf('s'), undefined);
  add(makeMirror('s'));
  intake.onApiPods({ type: 'replaced', objects: [] });
  t.equal(manager.mirrorOf('s'), undefined, 'not in the list');
  t.strictSame(manager.orphanMirrors(), [], 'nor is the orphan');
  add(makeMirror('s', 'newer'));
  intake.onApiPods({ type: 'replaced', objects: [makeMirror('s', 'newer')] });
  t.equal(manager.mirrorOf('s')?.metadata?.uid, 'newer');
});

t.test('nobody is an orphan before all sources have told of theirs', async (t) => {
  const { intake, told, settings } = makeScene();
  settings.engine = [summary('lost')];
  settings.disk = ['lost', 'folder'];
  await intake.tidy();
  intake.onStaticPods({ type: 'replaced', objects: [] });
  await intake.tidy();
  t.notOk(intake.sourcesReady());
  t.strictSame(told(), ['mirrors']);
  intake.onApiPods({ type: 'replaced', objects: [] });
  t.ok(intake.sourcesReady());
  told();
  await intake.tidy();
  t.strictSame(told(), ['orphan lost', 'tear down folder'], 'a folder only once the engine has nothing of it');
});

t.test('what is known is no orphan; what can not be removed holds nobody up', async (t) => {
  const { intake, told, settings, known } = makeScene({ api: true, files: false });
  intake.onApiPods({ type: 'replaced', objects: [makePod('a')] });
  known.add('worker');
  told();
  settings.engine = [summary('a'), summary('worker')];
  settings.disk = ['a', 'worker', 'stuck', 'next'];
  await intake.tidy();
  t.strictSame(told(), ['tear down stuck', 'tear down next']);
});
