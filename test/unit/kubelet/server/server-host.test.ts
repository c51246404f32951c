import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createPodManager } from '../../../../src/kubelet/pod/pod-manager.js';
import { createServerHost } from '../../../../src/kubelet/server/server-host.js';
import type { RuntimePodStatus } from '../../../../src/kubelet/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const plain: V1Pod = { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, status: { phase: 'Pending' } };
const fixed: V1Pod = {
  metadata: { name: 'etcd', namespace: 'sys', uid: 'h1', annotations: { 'kubernetes.io/config.source': 'file' } },
};
const mirror: V1Pod = {
  metadata: { name: 'etcd', namespace: 'sys', uid: 'm1', annotations: { 'kubernetes.io/config.mirror': 'h1' } },
};

function makeHost() {
  const manager = createPodManager();
  for (const pod of [plain, fixed, mirror]) manager.set(pod);
  const refreshed: string[] = [];
  const status = (uid: string) =>
    ({
      uid,
      name: uid,
      namespace: 'shop',
      sandboxes: [],
      containers: [
        { name: 'a', state: 'running' },
        { name: 'b', state: 'exited' },
      ],
    }) as unknown as RuntimePodStatus;
  const host = createServerHost({
    manager,
    statuses: { get: (uid) => (uid === 'u1' ? { phase: 'Running' } : undefined) },
    pleg: {
      status: (uid) => (uid === 'u1' ? status(uid) : undefined),
      refresh: async (uid) => {
        refreshed.push(uid);
        return status(uid);
      },
      pods: () =>
        ['u1', 'dead', 'unseen'].map((uid) => ({
          uid,
          name: uid,
          namespace: 'shop',
          running: uid !== 'dead',
          terminationGraceSeconds: undefined,
        })),
    },
    clock: makeManualClock(),
    rootDir: '/',
    imageDir: '/',
    configz: { port: 1 },
    facts: { cpus: 2, memoryBytes: 7, machineId: 'm', bootId: 'b', systemUuid: 's' },
  });
  return { host, refreshed };
}

t.test('pods, with the newest statuses', async (t) => {
  const { host } = makeHost();
  t.strictSame(host.pods(), [{ ...plain, status: { phase: 'Running' } }, fixed]);
});

t.test('which pod is asked for', async (t) => {
  const { host } = makeHost();
  const cases: readonly (readonly [string, string, string | undefined, string | undefined])[] = [
    ['shop', 'web', undefined, 'u1'],
    ['shop', 'web', 'u1', 'u1'],
    ['shop', 'web', 'older', undefined],
    ['shop', 'absent', undefined, undefined],
    ['sys', 'etcd', 'h1', 'h1'],
    ['sys', 'etcd', 'm1', 'h1'],
    ['sys', 'etcd', 'u1', undefined],
  ];
  for (const [namespace, name, uid, want] of cases) {
    t.equal(host.findPod(namespace, name, uid)?.metadata?.uid, want, `${namespace}/${name} ${uid}`);
  }
  t.equal(host.findPod('shop', 'web')?.status?.phase, 'Running');
});

t.test('what runs, and what is known of it', async (t) => {
  const { host, refreshed } = makeHost();
  t.strictSame(await host.runningPods(), [
    { metadata: { name: 'u1', namespace: 'shop', uid: 'u1' }, spec: { containers: [{ name: 'a' }] } },
    { metadata: { name: 'unseen', namespace: 'shop', uid: 'unseen' }, spec: { containers: [] } },
  ]);
  t.equal(host.knownStatus(plain)?.uid, 'u1');
  t.strictSame(refreshed, []);
  t.equal((await host.freshStatus(plain))?.uid, 'u1');
  t.strictSame(refreshed, ['u1']);
  t.strictSame(host.configz(), { port: 1 });
  t.match(host.machineInfo(), { num_cores: 2, memory_capacity: 7, machine_id: 'm' });
});
