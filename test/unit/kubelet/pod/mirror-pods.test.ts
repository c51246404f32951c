import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createMirrorPods } from '../../../../src/kubelet/pod/mirror-pods.js';

const fixed: V1Pod = {
  metadata: {
    name: 'etcd-n',
    namespace: 'kube-system',
    uid: 'h1',
    labels: { a: 'b' },
    annotations: { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.hash': 'h1' },
  },
  spec: { containers: [{ name: 'etcd' }] },
  status: { phase: 'Pending' },
};
const mirror = (hash: string, part: V1Pod['metadata'] = {}): V1Pod => ({
  metadata: {
    name: 'etcd-n',
    namespace: 'kube-system',
    uid: 'm1',
    annotations: { 'kubernetes.io/config.mirror': hash },
    ...part,
  },
});

interface Scene {
  known?: V1Pod;
  /** What the API server has. */
  server?: V1Pod;
  nodeUid?: string | undefined;
}

async function run({ known, server, nodeUid = 'node-uid' }: Scene) {
  const calls: string[] = [];
  const created: V1Pod[] = [];
  let there = server;
  const mirrors = createMirrorPods({
    nodeName: 'n',
    nodeUid: () => (nodeUid === '' ? undefined : nodeUid),
    client: {
      async create(_ref, object) {
        calls.push('create');
        if (there) throw new HyperupError('AlreadyExists', 'there');
        created.push(object as V1Pod);
        return object;
      },
      async delete(_ref, key, options) {
        calls.push(`delete ${key.name} ${options?.uid} ${options?.gracePeriodSeconds}`);
        if (there && there.metadata?.uid !== options?.uid) throw new HyperupError('Conflict', 'uid');
        there = undefined;
        return true;
      },
      async find<T>() {
        calls.push('find');
        return there as T | undefined;
      },
    },
  });
  let failed = '';
  await mirrors.ensureMirror(fixed, known).catch((error: unknown) => {
    failed = error instanceof HyperupError ? error.code : String(error);
  });
  return { calls, created, failed };
}

t.test('what is created', async (t) => {
  const { created } = await run({});
  t.strictSame(created, [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'etcd-n',
        namespace: 'kube-system',
        labels: { a: 'b' },
        annotations: { ...fixed.metadata?.annotations, 'kubernetes.io/config.mirror': 'h1' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'node-uid', controller: true }],
      },
      spec: fixed.spec,
    },
  ]);
});

const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const cases: [string, Scene, string[], string?][] = [
  ['it is there', { known: mirror('h1'), server: mirror('h1') }, []],
  ['none is known', {}, ['create']],
  ['of another version', { known: mirror('h0'), server: mirror('h0') }, ['delete etcd-n m1 0', 'create']],
  ['being deleted', { known: mirror('h1', gone), server: mirror('h1', gone) }, ['delete etcd-n m1 0', 'create']],
  ['not seen yet', { server: mirror('h1') }, ['create', 'find']],
  ['of another version, not seen yet', { server: mirror('h0') }, ['create', 'find', 'delete etcd-n m1 0', 'create']],
  [
    'another one by now',
    { known: mirror('h0'), server: mirror('h1', { uid: 'm2' }) },
    ['delete etcd-n m1 0', 'create', 'find'],
  ],
  [
    'a pod that is no mirror',
    { server: { metadata: { name: 'etcd-n', uid: 'x' } } },
    ['create', 'find'],
    'AlreadyExists',
  ],
  ['the node is not registered', { nodeUid: '' }, [], 'NotFound'],
];
for (const [name, scene, calls, failed = ''] of cases) {
  t.test(name, async (t) => {
    const got = await run(scene);
    t.strictSame([got.calls, got.failed], [calls, failed]);
  });
}
