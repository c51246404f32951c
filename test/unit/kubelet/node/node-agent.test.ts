import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { KubeClient } from '../../../../src/kube/kube-client-types.js';
import type { V1Node, V1NodeStatus } from '../../../../src/kube/node-objects.js';
import type { V1Lease } from '../../../../src/kube/objects.js';
import { createNodeAgent } from '../../../../src/kubelet/node/node-agent.js';
import { initialNode } from '../../../../src/kubelet/node/node-status.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeReading, type ReadingChanges } from './node-reading.js';

type Client = Pick<KubeClient, 'find' | 'create' | 'update' | 'patch' | 'get'>;

interface SceneOptions {
  readonly node?: V1Node;
  readonly register?: boolean;
  readonly leaseNamespace?: boolean;
}

const quiet = new HyperupError('ApiFailed', 'connection refused');

/** An API server of one node and one lease. */
function makeScene({ node, register = true, leaseNamespace = true }: SceneOptions = {}) {
  const clock = makeManualClock(Date.parse('2021-01-13T13:00:00Z'));
  const server = { node, lease: undefined as V1Lease | undefined, leaseNamespace, down: false };
  const reading = { now: {} as ReadingChanges };
  const calls: string[] = [];
  const patches: { readonly status?: V1NodeStatus & Record<string, unknown> }[] = [];
  const events: string[] = [];
  let hold: Promise<void> | undefined;

  const call = async (text: string, kind: string | undefined) => {
    if (kind !== 'Lease') calls.push(text);
    if (server.down) throw quiet;
    await hold;
  };
  const missing = () => new HyperupError('NotFound', 'not there');
  const client: Client = {
    async find<T>(ref: { readonly kind: string }) {
      await call('find', ref.kind);
      return (ref.kind === 'Lease' ? server.lease : server.node) as T | undefined;
    },
    async get<T>(ref: { readonly kind: string }) {
      await call('get', ref.kind);
      if (!server.node) throw missing();
      return server.node as T;
    },
    async create(ref, object) {
      await call('create', ref.kind);
      if (ref.kind === 'Lease') {
        if (!server.leaseNamespace) throw missing();
        server.lease = object as V1Lease;
        return object;
      }
      if (server.node) throw new HyperupError('AlreadyExists', 'there');
      server.node = { ...object, metadata: { ...object.metadata, uid: 'node-uid' } };
      return server.node as typeof object;
    },
    async update(ref, object) {
      await call('update', ref.kind);
      server.lease = object as V1Lease;
      return object;
    },
    async patch<T>(ref: { readonly kind: string }, _key: object, patch: { readonly body: unknown }, options?: object) {
      await call(options && 'subresource' in options ? 'patch status' : 'patch', ref.kind);
      if (!server.node) throw missing();
      const body = patch.body as (typeof patches)[number] & { metadata?: V1Node['metadata'] };
      patches.push(body);
      const { node } = server;
      const amounts = (part: 'capacity' | 'allocatable') =>
        Object.fromEntries(
          Object.entries({ ...node.status?.[part], ...body.status?.[part] }).filter(([, value]) => value !== null),
        );
      const changed = body.status?.conditions ?? [];
      server.node = {
        ...node,
        metadata: {
          ...node.metadata,
          labels: { ...node.metadata?.labels, ...body.metadata?.labels },
          annotations: { ...node.metadata?.annotations, ...body.metadata?.annotations },
        },
        ...(body.status && {
          status: {
            ...node.status,
            ...body.status,
            capacity: amounts('capacity'),
            allocatable: amounts('allocatable'),
            addresses: (body.status.addresses ?? []).filter((address) => !('$patch' in address)),
            conditions: [
              ...(node.status?.conditions ?? []).filter(({ type }) => !changed.some((one) => one.type === type)),
              ...changed,
            ],
          },
        }),
      };
      return server.node as T;
    },
  };
  const agent = createNodeAgent({
    client,
    clock,
    logger: silentLogger,
    events: { pod: () => {}, node: (_type, reason) => events.push(reason) },
    nodeName: 'node-1',
    register,
    statusUpdateMs: 10_000,
    statusReportMs: 60_000,
    leaseSeconds: 40,
    read: async () => makeReading(reading.now),
  });
  return {
    clock,
    server,
    reading,
    patches,
    agent,
    /** Since the last time it was asked. */
    calls: () => calls.splice(0),
    events: () => events.splice(0),
    settle: () => clock.advanceAndRun(0),
    /** Every call from now on waits until the answer is called. */
    holdCalls() {
      let release = () => {};
      hold = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        hold = undefined;
        release();
      };
    },
  };
}

t.test('registers, then reports only what is news', async (t) => {
  const scene = makeScene();
  scene.agent.start();
  await scene.settle();
  t.strictSame(scene.calls(), ['create']);
  t.strictSame(scene.events(), [
    'NodeHasSufficientMemory',
    'NodeHasNoDiskPressure',
    'NodeHasSufficientPID',
    'NodeReady',
  ]);
  t.equal(scene.agent.current()?.metadata?.uid, 'node-uid');
  await scene.clock.advanceAndRun(10_000);
  t.strictSame(scene.calls(), ['find'], 'nothing new');
  scene.reading.now = { healthy: false };
  await scene.clock.advanceAndRun(10_000);
  t.strictSame(scene.calls(), ['find', 'patch status']);
  t.strictSame(scene.events(), ['NodeNotReady']);
  for (let i = 0; i < 5; i += 1) await scene.clock.advanceAndRun(10_000);
  t.strictSame(scene.calls(), Array(5).fill('find'));
  await scene.clock.advanceAndRun(10_000);
  t.strictSame(scene.calls(), ['find', 'patch status'], 'a minute old');
  t.strictSame(scene.events(), []);
  await scene.agent.stop();
  t.equal(scene.clock.waiting, 0);
});

t.test('a patch holds changes alone', async (t) => {
  const scene = makeScene();
  scene.agent.start();
  await scene.settle();
  const { node } = scene.server;
  const foreign = { type: 'NetworkUnavailable', status: 'False' } as const;
  scene.server.node = {
    ...node,
    status: {
      ...node?.status,
      capacity: { ...node?.status?.capacity, 'example.com/gpu': '2' },
      allocatable: { ...node?.status?.allocatable, 'example.com/gone': '1' },
      conditions: [...(node?.status?.conditions ?? []), foreign],
      volumesInUse: ['v'],
    },
  };
  await scene.clock.advanceAndRun(10_000);
  const status = scene.patches.at(-1)?.status;
  t.strictSame(status?.capacity, {}, "somebody else's is not sent back");
  t.strictSame(status?.allocatable, { 'example.com/gpu': '2', 'example.com/gone': null });
  t.strictSame(
    status?.conditions?.map(({ type }) => type),
    ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'],
  );
  t.equal(status?.volumesInUse, null);
  t.strictSame(status?.addresses, [
    { $patch: 'replace' },
    { type: 'InternalIP', address: '192.0.2.7' },
    { type: 'Hostname', address: 'node-1' },
  ]);
  await scene.agent.stop();
});

t.test('a node that is there is adopted and reported on at once', async (t) => {
  const old = initialNode(makeReading({ healthy: false }), Date.parse('2021-01-01T00:00:00Z'));
  const scene = makeScene({
    node: { ...old, metadata: { name: 'node-1', uid: 'old', labels: { mine: 'x', role: 'other' } } },
  });
  scene.agent.start();
  await scene.settle();
  t.strictSame(scene.calls(), ['create', 'get', 'patch', 'patch status']);
  t.match(scene.server.node?.metadata?.labels, { mine: 'x', role: 'test', 'kubernetes.io/os': 'linux' });
  t.equal(scene.server.node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  t.strictSame(scene.events(), ['NodeReady']);
  await scene.agent.stop();
});

t.test('a node that was deleted is registered again', async (t) => {
  const scene = makeScene();
  scene.agent.start();
  await scene.settle();
  scene.calls();
  scene.server.node = undefined;
  await scene.clock.advanceAndRun(10_000);
  t.strictSame(scene.calls(), ['find', 'create']);
  t.equal(scene.agent.current()?.metadata?.uid, 'node-uid');
  await scene.agent.stop();
});

t.test('a kubelet that does not register waits for somebody who does', async (t) => {
  const scene = makeScene({ register: false });
  scene.agent.start();
  await scene.settle();
  t.strictSame(scene.calls(), ['find']);
  await scene.clock.advanceAndRun(100);
  t.strictSame(scene.calls(), ['find']);
  scene.server.node = { metadata: { name: 'node-1', uid: 'by-hand' } };
  await scene.clock.advanceAndRun(200);
  t.strictSame(scene.calls(), ['find', 'patch status']);
  await scene.agent.stop();
});

t.test('registration is tried with growing waits', async (t) => {
  const scene = makeScene();
  scene.server.down = true;
  scene.agent.start();
  await scene.settle();
  for (const waitMs of [100, 200, 400, 800, 1600, 3200, 6400, 7000, 7000]) {
    scene.calls();
    await scene.clock.advanceAndRun(waitMs - 1);
    t.strictSame(scene.calls(), [], `${waitMs} ms: not before`);
    await scene.clock.advanceAndRun(1);
    t.strictSame(scene.calls(), ['create'], `${waitMs} ms`);
  }
  scene.server.down = false;
  await scene.clock.advanceAndRun(7000);
  t.ok(scene.agent.current());
  await scene.agent.stop();
});

t.test('a report that is asked for while one is on its way is made after it', async (t) => {
  const scene = makeScene();
  scene.agent.start();
  await scene.settle();
  await scene.clock.advanceAndRun(9999);
  const release = scene.holdCalls();
  await scene.clock.advanceAndRun(1);
  scene.reading.now = { pressure: ['DiskPressure'] };
  scene.agent.reportSoon();
  release();
  await scene.settle();
  t.strictSame(scene.calls(), ['create', 'find', 'find', 'patch status']);
  t.strictSame(scene.events().at(-1), 'NodeHasDiskPressure');
  scene.reading.now = {};
  scene.agent.reportSoon();
  await scene.settle();
  t.strictSame(scene.calls(), ['find', 'patch status'], 'and at once while none is');
  await scene.settle();
  t.strictSame(scene.calls(), []);
  await scene.agent.stop();
});

t.test('the lease', async (t) => {
  const scene = makeScene({ leaseNamespace: false });
  scene.agent.start();
  await scene.settle();
  await scene.clock.advanceAndRun(100);
  t.equal(scene.server.lease, undefined, 'no namespace yet');
  scene.server.leaseNamespace = true;
  await scene.clock.advanceAndRun(200);
  t.match(scene.server.lease, {
    metadata: { name: 'node-1', namespace: 'kube-node-lease', ownerReferences: [{ kind: 'Node', uid: 'node-uid' }] },
    spec: { holderIdentity: 'node-1', leaseDurationSeconds: 40, renewTime: '2021-01-13T13:00:00.300000Z' },
  });
  await scene.clock.advanceAndRun(9999);
  t.match(scene.server.lease?.spec?.renewTime, '13:00:00.300');
  await scene.clock.advanceAndRun(1);
  t.match(scene.server.lease?.spec?.renewTime, '13:00:10.300');
  await scene.agent.stop();
});
