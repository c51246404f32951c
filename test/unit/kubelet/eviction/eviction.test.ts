import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import type { EvictionOptions } from '../../../../src/kubelet/config/kubelet-options.js';
import { createEvictionManager } from '../../../../src/kubelet/eviction/eviction-manager.js';
import { readPodUsage } from '../../../../src/kubelet/eviction/pod-usage.js';
import { rankForEviction } from '../../../../src/kubelet/eviction/rank-pods.js';
import {
  type EvictionSignal,
  findMet,
  readSignals,
  type SignalReading,
} from '../../../../src/kubelet/eviction/signals.js';
import { podUidOf } from '../../../../src/kubelet/pod/pod-names.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

function makePod(name: string, memory: string, priority = 0, spec: Partial<V1Pod['spec']> = {}): V1Pod {
  const containers = [{ name: 'c', resources: { requests: { memory } } }];
  return { metadata: { name, uid: name }, spec: { containers, priority, ...spec } };
}

t.test('whom first', async (t) => {
  const usage: Readonly<Record<string, number>> = { modest: 90, over: 150, farOver: 500, dear: 900, critical: 999 };
  const pods = [
    makePod('modest', '100'),
    makePod('over', '100'),
    makePod('critical', '1', 2_000_000_000),
    makePod('farOver', '100'),
    makePod('dear', '100', 10),
  ];
  const ranked = (resource: string) =>
    rankForEviction(pods, resource, (uid) => usage[uid] ?? 0).map(({ metadata }) => metadata?.name);
  t.strictSame(ranked('memory'), ['farOver', 'over', 'dear', 'modest']);
  t.strictSame(ranked('pids'), ['farOver', 'over', 'modest', 'dear'], 'no requests: by importance, then use');
});

t.test('signals below their thresholds', async (t) => {
  const readings = new Map<EvictionSignal, SignalReading>([
    ['memory.available', { available: 99, capacity: 1000 }],
    ['nodefs.available', { available: 100, capacity: 1000 }],
  ]);
  t.strictSame(findMet(readings, { 'memory.available': '10%', 'nodefs.available': '10%' }), ['memory.available']);
  t.strictSame(findMet(readings, { 'memory.available': '99', 'nodefs.available': '101' }), ['nodefs.available']);
  t.strictSame(findMet(readings, { 'pid.available': '100%' }), [], 'nothing known');
});

t.test("this machine's signals", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'signals-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const readings = await readSignals({ rootDir: dir, imageDir: join(dir, 'absent') });
  for (const name of ['memory.available', 'nodefs.available', 'pid.available'] as const) {
    const { available, capacity } = readings.get(name) ?? { available: 0, capacity: 0 };
    t.ok(available > 0 && available <= capacity, name);
  }
  t.notOk(readings.has('imagefs.available'), 'what is not there is left out');
});

t.test('what pods use', async (t) => {
  const running = (id: string) => ({ id, state: 'running' }) as const;
  const status = (uid: string) => ({
    containers: uid === 'a' ? [running('1'), running('2'), { id: '3', state: 'exited' }] : [running('gone')],
  });
  const asked: string[] = [];
  const engine = {
    async containerStats(id: string) {
      asked.push(id);
      if (id === 'gone') throw new Error('gone');
      return { memoryWorkingSetBytes: 10, processes: 2 };
    },
  };
  const read = (resource: string) =>
    readPodUsage(engine as never, { status: status as never }, ['a', 'b', 'c'], resource);
  const memory = await read('memory');
  t.strictSame([memory('a'), memory('b'), memory('unknown')], [20, 0, 0]);
  t.strictSame(asked, ['1', '2', 'gone', 'gone']);
  t.equal((await read('pids'))('a'), 4);
  asked.length = 0;
  t.equal((await read('inodes'))('a'), 0);
  t.strictSame(asked, [], 'what can not be told is not asked for');
});

const thresholds: EvictionOptions = {
  hard: { 'memory.available': '100', 'nodefs.available': '100' },
  soft: { 'memory.available': '200' },
  softGraceMs: { 'memory.available': 30_000 },
  maxPodGraceSeconds: 20,
  pressureTransitionMs: 60_000,
  intervalMs: 10_000,
};

function makeScene(pods = [makePod('a', '0'), makePod('b', '0', 5)]) {
  const clock = makeManualClock();
  const available: Record<string, number> = { 'memory.available': 500, 'nodefs.available': 500 };
  const told: string[] = [];
  const scene = {
    clock,
    available,
    fails: false,
    reclaims: 0,
    told: () => told.splice(0),
    manager: createEvictionManager({
      thresholds,
      clock,
      logger: silentLogger,
      events: {
        pod: (pod, _type, reason) => told.push(`${reason} ${pod.metadata?.name}`),
        node: (_type, reason, message) => told.push(`${reason} ${message}`),
      },
      async read() {
        if (scene.fails) throw new Error('no');
        return new Map(
          Object.entries(available).map(([name, value]) => [
            name as EvictionSignal,
            { available: value, capacity: 1000 },
          ]),
        );
      },
      pods: () => pods,
      usage: async () => () => 1,
      async reclaimDisk() {
        told.push('reclaim');
        available['nodefs.available'] = scene.reclaims;
      },
      evict: (uid, { graceSeconds, reason }) => told.push(`evict ${uid} ${graceSeconds} ${reason}`),
      uidOf: podUidOf,
      onPressure: () => told.push(`pressure ${scene.manager.pressure().join()}`),
    }),
  };
  return scene;
}

t.test('a hard threshold evicts one pod a round, at once', async (t) => {
  const { manager, available, told, clock } = makeScene();
  await manager.check();
  t.strictSame(told(), []);
  available['memory.available'] = 99;
  await manager.check();
  t.strictSame(told(), [
    'pressure MemoryPressure',
    'EvictionThresholdMet Attempting to reclaim memory',
    'Evicted a',
    'evict a 0 Evicted',
  ]);
  available['memory.available'] = 500;
  clock.advance(59_999);
  await manager.check();
  t.strictSame(manager.pressure(), ['MemoryPressure'], 'no flapping');
  clock.advance(1);
  t.strictSame(manager.pressure(), []);
  await manager.check();
  t.strictSame(told(), ['pressure '], 'its end is told too');
});

t.test('a soft threshold evicts after its grace, and leaves pods theirs', async (t) => {
  const { manager, available, told, clock } = makeScene([makePod('a', '0', 0, { terminationGracePeriodSeconds: 5 })]);
  available['memory.available'] = 150;
  await manager.check();
  t.strictSame(told(), ['pressure MemoryPressure']);
  clock.advance(20_000);
  available['memory.available'] = 250;
  await manager.check();
  available['memory.available'] = 150;
  await manager.check();
  clock.advance(29_999);
  await manager.check();
  t.strictSame(told(), [], 'the grace begins anew');
  clock.advance(1);
  await manager.check();
  t.strictSame(told().at(-1), 'evict a 5 Evicted');
});

t.test('a full disk: first what nobody needs, then pods', async (t) => {
  const scene = makeScene();
  scene.available['nodefs.available'] = 10;
  scene.reclaims = 400;
  await scene.manager.check();
  t.strictSame(scene.told(), ['pressure DiskPressure', 'reclaim']);
  scene.available['nodefs.available'] = 10;
  scene.reclaims = 20;
  await scene.manager.check();
  t.strictSame(scene.told(), [
    'reclaim',
    'EvictionThresholdMet Attempting to reclaim ephemeral-storage',
    'Evicted a',
    'evict a 0 Evicted',
  ]);
});

t.test('nobody to evict', async (t) => {
  const { manager, available, told } = makeScene([makePod('critical', '0', 2_000_000_000)]);
  available['memory.available'] = 1;
  await manager.check();
  t.notOk(told().some((line) => line.startsWith('evict')));
});

t.test('the loop goes on after a failure, and ends', async (t) => {
  const scene = makeScene();
  scene.fails = true;
  scene.manager.start();
  await scene.clock.advanceAndRun(0);
  scene.fails = false;
  scene.available['memory.available'] = 1;
  await scene.clock.advanceAndRun(10_000);
  t.ok(scene.told().includes('evict a 0 Evicted'));
  await scene.manager.stop();
  t.equal(scene.clock.waiting, 0);
});
