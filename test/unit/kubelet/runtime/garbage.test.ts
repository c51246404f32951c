import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { ContainerListing } from '../../../../src/docker/runtime-types.js';
import { planRemovals } from '../../../../src/kubelet/runtime/container-garbage.js';
import { createGarbageCollector } from '../../../../src/kubelet/runtime/garbage.js';
import { makeFakeRuntimeEngine } from '../../../fakes/fake-runtime-engine.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

type State = ContainerListing['state'];
const listing = (id: string, name: string, attempt: number, state: State, sandbox = 'sb'): ContainerListing => ({
  ...{ id, name: id, imageId: 'sha256:1', state, createdAtMs: 1000 },
  labels: {
    'io.hyperup.managed': 'true',
    'io.hyperup.kubelet': 'one',
    'io.kubernetes.docker.type': name === 'POD' ? 'podsandbox' : 'container',
    'io.kubernetes.pod.uid': 'u',
    'io.kubernetes.container.name': name,
    'io.kubernetes.sandbox.id': sandbox,
    'io.hyperup.attempt': String(attempt),
  },
});

t.test('what of a pod can go', (t) => {
  const cases: readonly (readonly [string, readonly ContainerListing[], readonly string[]])[] = [
    ['the newest dead stays', [listing('a', 'm', 0, 'exited'), listing('b', 'm', 1, 'exited')], ['a']],
    [
      'also beside a running one',
      [listing('a', 'm', 0, 'exited'), listing('b', 'm', 1, 'exited'), listing('c', 'm', 2, 'running')],
      ['a'],
    ],
    ['by name', [listing('a', 'm', 0, 'exited'), listing('b', 'n', 0, 'exited')], []],
    ['the newest sandbox stays', [listing('x', 'POD', 0, 'exited'), listing('y', 'POD', 1, 'exited')], ['x']],
    ['none stays beside a running one', [listing('x', 'POD', 0, 'exited'), listing('y', 'POD', 1, 'running')], ['x']],
    [
      'one with a container stays',
      [listing('x', 'POD', 0, 'exited'), listing('y', 'POD', 1, 'running'), listing('a', 'm', 0, 'exited', 'x')],
      [],
    ],
  ];
  for (const [name, group, want] of cases) t.strictSame(planRemovals(group), want, name);
  t.end();
});

function setUp(disk: { capacityBytes: number; availableBytes: number }) {
  const clock = makeManualClock(1_600_000_000_000);
  const engine = makeFakeRuntimeEngine({ clock });
  const said: string[] = [];
  const removed: string[] = [];
  const pods = { ready: false, existing: new Set<string>() };
  const garbage = createGarbageCollector({
    ...{ engine, clock, logger: silentLogger, info: { rootDir: '/d' }, pauseImage: 'pause:1' },
    identity: { nodeName: 'n', nodeIps: [], instance: 'one', rootDir: '/k', podLogDir: '/l', hostRoot: '' },
    events: { pod: () => {}, node: (_type, reason, message) => said.push(`${reason} ${message}`) },
    runtime: {
      removeContainer: async (id) => void removed.push(id),
      removePod: async (uid) => void removed.push(`pod ${uid}`),
    },
    sourcesReady: () => pods.ready,
    podExists: (uid) => pods.existing.has(uid),
    keep: (reference) => reference === 'keep:1',
    policy: { highPercent: 85, lowPercent: 80, minAgeMs: 120_000 },
    diskUsage: async () => disk,
  });
  return { clock, engine, said, removed, pods, garbage };
}

t.test('pods that are gone go whole, once that is certain', async (t) => {
  const { engine, removed, pods, garbage } = setUp({ capacityBytes: 100, availableBytes: 50 });
  engine.addImage('web:1');
  const { labels } = listing('', 'm', 0, 'exited');
  const id = await engine.createContainer('one', { Image: 'web:1', Labels: labels, HostConfig: {} });
  await garbage.collectContainers();
  t.strictSame(removed, [], 'not all sources have told');
  pods.ready = true;
  await engine.startContainer(id);
  await garbage.collectContainers();
  t.strictSame(removed, [], 'what runs is left to the workers');
  engine.exit(id, 0);
  await garbage.collectContainers();
  t.strictSame(removed, ['pod u']);
});

t.test('images go when the disk is full, the longest unused first', async (t) => {
  const disk = { capacityBytes: 1000, availableBytes: 500 };
  const { clock, engine, said, garbage } = setUp(disk);
  for (const name of ['pause:1', 'keep:1', 'used:1', 'late:1', 'old:1']) engine.addImage(name, { sizeBytes: 60 });
  const id = await engine.createContainer('late', { Image: 'late:1', HostConfig: {} });
  await engine.createContainer('used', { Image: 'used:1', HostConfig: {} });
  await garbage.collectImages();
  await engine.removeContainer(id);
  clock.advance(300_000);
  engine.addImage('fresh:1', { sizeBytes: 60 });
  disk.availableBytes = 145;
  const tags = async () => (await engine.listImages()).flatMap((image) => image.tags).sort();
  await garbage.collectImages();
  t.strictSame(await tags(), ['fresh:1', 'keep:1', 'late:1', 'pause:1', 'used:1']);
  disk.availableBytes = 10;
  await t.rejects(garbage.collectImages(), /Wanted to free 190 bytes, but freed 60 bytes/);
  t.strictSame(await tags(), ['fresh:1', 'keep:1', 'pause:1', 'used:1']);
  t.strictSame(said, [
    'FreeDiskSpaceFailed failed to garbage collect required amount of images. Wanted to free 190 bytes, but freed 60 bytes',
  ]);
  garbage.start();
  await clock.slept(2);
  for (const _round of [1, 2]) {
    clock.advance(300_000);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await garbage.stop();
  t.match(said.at(-1), /^ImageGCFailed failed to garbage collect/, 'the second failure in a row is told');
});
