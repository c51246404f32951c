import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createMirrorKeeper } from '../../../../src/kubelet/pod/mirror-keeper.js';
import { createPodManager } from '../../../../src/kubelet/pod/pod-manager.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const make = (name: string, annotations: Readonly<Record<string, string>>): V1Pod => ({
  metadata: { name, namespace: 'kube-system', uid: name, annotations },
});
const fixed = make('s', { 'kubernetes.io/config.source': 'file' });

function makeScene() {
  const clock = makeManualClock();
  const manager = createPodManager();
  const calls: string[] = [];
  const scene = { clock, manager, isReady: true, failing: '', calls: () => calls.splice(0), onCall: () => {} };
  const call = async (text: string) => {
    calls.push(text);
    scene.onCall();
    if (scene.failing === text) throw new Error('no');
    return true;
  };
  const keeper = createMirrorKeeper({
    mirrors: {
      ensureMirror: async (pod, mirror) => void (await call(`ensure ${pod.metadata?.name} ${mirror?.metadata?.uid}`)),
      deleteMirror: (mirror) => call(`delete ${mirror.metadata?.name}`),
    },
    manager,
    clock,
    logger: silentLogger,
    isReady: () => scene.isReady,
  });
  return { ...scene, scene, keeper };
}

t.test('mirrors for static pods alone, and no others', async (t) => {
  const { manager, keeper, clock, calls } = makeScene();
  manager.set(fixed);
  manager.set(make('api', {}));
  manager.set({
    ...make('s', { 'kubernetes.io/config.mirror': 'h' }),
    metadata: { ...fixed.metadata, uid: 'm', annotations: { 'kubernetes.io/config.mirror': 'h' } },
  });
  manager.set(make('orphan', { 'kubernetes.io/config.mirror': 'h' }));
  keeper.start();
  await clock.slept(1);
  t.strictSame(calls(), ['ensure s m', 'delete orphan']);
  t.strictSame(clock.sleeps, [60_000]);
  keeper.wake();
  await clock.slept(2);
  t.strictSame(calls(), ['ensure s m', 'delete orphan']);
  await keeper.stop();
  t.equal(clock.waiting, 0);
});

t.test('what fails holds nobody up and is tried again', async (t) => {
  const { scene, manager, keeper, clock, calls } = makeScene();
  manager.set(make('orphan', { 'kubernetes.io/config.mirror': 'h' }));
  manager.set(fixed);
  scene.failing = 'ensure s undefined';
  keeper.start();
  for (let tries = 1; tries <= 8; tries += 1) {
    await clock.slept(tries);
    t.strictSame(calls(), ['ensure s undefined', 'delete orphan']);
    clock.advance(10_000);
  }
  scene.failing = '';
  await clock.slept(9);
  t.strictSame(clock.sleeps.slice(0, 8), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  t.equal(clock.sleeps.at(-1), 60_000);
  await keeper.stop();
});

t.test('nothing before all is known; a wake-up during a round is not lost', async (t) => {
  const { scene, manager, keeper, clock, calls } = makeScene();
  manager.set(fixed);
  scene.isReady = false;
  keeper.start();
  await clock.slept(1);
  t.strictSame(calls(), []);
  scene.isReady = true;
  let wakes = 1;
  scene.onCall = () => {
    if (wakes > 0) keeper.wake();
    wakes -= 1;
  };
  keeper.wake();
  await clock.slept(3);
  t.strictSame(calls(), ['ensure s undefined', 'ensure s undefined']);
  await keeper.stop();
});
