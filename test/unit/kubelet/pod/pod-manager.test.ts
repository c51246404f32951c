import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createPodManager } from '../../../../src/kubelet/pod/pod-manager.js';

const pod = (name: string, uid: string, annotations: Record<string, string> = {}): V1Pod => ({
  metadata: { name, namespace: 'shop', uid, annotations },
});
const file = { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.hash': 'h1' };
const mirrorOf = (hash: string) => ({ ...file, 'kubernetes.io/config.mirror': hash });

t.test('by UID and by name', async (t) => {
  const manager = createPodManager();
  const first = pod('web', 'u1');
  const second = pod('web', 'u2');
  manager.set(first);
  manager.set(second);
  t.equal(manager.get('u1'), first);
  t.equal(manager.byName('shop', 'web'), second, 'the newest of that name');
  t.equal(manager.byName('other', 'web'), undefined);
  manager.remove(second);
  t.equal(manager.byName('shop', 'web'), first, 'the one before is still on its way out');
  manager.remove(second);
  manager.remove(first);
  t.strictSame([manager.all(), manager.byName('shop', 'web')], [[], undefined]);
});

t.test('static pods and mirrors', async (t) => {
  const manager = createPodManager();
  const fixed = pod('etcd', 'h1', file);
  const mirror = pod('etcd', 'm1', mirrorOf('h1'));
  manager.set(mirror);
  t.strictSame(manager.orphanMirrors(), [mirror]);
  manager.set(fixed);
  t.equal(manager.mirrorOf('h1'), mirror);
  t.equal(manager.podForMirror(mirror), fixed);
  t.strictSame([manager.all(), manager.orphanMirrors()], [[fixed], []], 'a mirror is no pod to run');
  manager.remove(pod('etcd', 'm0', mirrorOf('h1')));
  t.equal(manager.mirrorOf('h1'), mirror, 'an older mirror went, not this one');
  manager.remove(mirror);
  t.equal(manager.mirrorOf('h1'), undefined);
});

t.test('a pod of the API with the name of a mirror is none', async (t) => {
  const manager = createPodManager();
  const mirror = pod('etcd', 'm1', mirrorOf('h1'));
  manager.set(mirror);
  manager.set(pod('etcd', 'u1'));
  t.equal(manager.podForMirror(mirror), undefined);
  t.equal(manager.mirrorOf('u1'), undefined);
});
