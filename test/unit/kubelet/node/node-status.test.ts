import t from 'tap';
import type { V1NodeStatus } from '../../../../src/kube/node-objects.js';
import { composeNodeStatus, initialNode, isNews } from '../../../../src/kubelet/node/node-status.js';
import { makeReading, type ReadingChanges } from './node-reading.js';

const start = Date.parse('2021-01-13T13:00:00Z');

t.test('conditions: the transition changes with the status alone, those of others stay', async (t) => {
  const before = composeNodeStatus(makeReading(), undefined, start);
  const foreign = { type: 'NetworkUnavailable', status: 'False', lastTransitionTime: 'x' } as const;
  const found = { ...before, conditions: [...(before.conditions ?? []), foreign] };
  const after = composeNodeStatus(makeReading({ healthy: false }), found, start + 60_000);
  const times = after.conditions?.map(({ type, status, lastHeartbeatTime, lastTransitionTime }) => [
    type,
    status,
    lastHeartbeatTime,
    lastTransitionTime,
  ]);
  const [first, second] = ['2021-01-13T13:00:00Z', '2021-01-13T13:01:00Z'];
  t.strictSame(times, [
    ['NetworkUnavailable', 'False', undefined, 'x'],
    ['MemoryPressure', 'False', second, first],
    ['DiskPressure', 'False', second, first],
    ['PIDPressure', 'False', second, first],
    ['Ready', 'False', second, second],
  ]);
  t.match(after.conditions?.at(-1), { reason: 'KubeletNotReady', message: /container runtime is down/ });
});

t.test('addresses and facts', async (t) => {
  const status = composeNodeStatus(makeReading({ nodeIps: ['192.0.2.7', '2001:db8::7'] }), undefined, start);
  t.strictSame(status.addresses, [
    { type: 'InternalIP', address: '192.0.2.7' },
    { type: 'InternalIP', address: '2001:db8::7' },
    { type: 'Hostname', address: 'node-1' },
  ]);
  t.match(status, {
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: { containerRuntimeVersion: 'docker://20.10.1', kubeletVersion: 'v1.20.2', operatingSystem: 'linux' },
  });
});

t.test('news', async (t) => {
  const found = composeNodeStatus(makeReading(), undefined, start);
  const cases: readonly (readonly [string, ReadingChanges, Partial<V1NodeStatus>, boolean])[] = [
    ['a heartbeat is none', {}, {}, false],
    ['a condition', { pressure: ['DiskPressure'] }, {}, true],
    ['readiness', { healthy: false }, {}, true],
    ['an image', { images: [] }, {}, true],
    ['an image of no size', { images: [{ names: ['b'], sizeBytes: 0 }] }, { images: [{ names: ['b'] }] }, false],
    ['no images', { images: [] }, { images: [] }, false],
    ['the engine', { engineVersion: '24' }, {}, true],
    ['an address', { nodeIps: ['192.0.2.8'] }, {}, true],
    ['a volume', { volumesInUse: ['v'] }, {}, true],
    ['no volume any more', {}, { volumesInUse: ['v'] }, true],
    [
      "the server's spelling of amounts",
      {},
      {
        capacity: { cpu: '2', memory: '4Gi', pods: '110', 'ephemeral-storage': '100Gi' },
        allocatable: { 'ephemeral-storage': '100Gi', cpu: '2', memory: '3996Mi', pods: '110' },
      },
      false,
    ],
    ['another amount', {}, { capacity: { ...found.capacity, cpu: '4' } }, true],
    ['an amount less', {}, { allocatable: { cpu: '2' } }, true],
    ['allocatable that has left the capacity', {}, { allocatable: { ...found.allocatable, 'a.b/c': '1' } }, true],
    ['an extended resource in the capacity alone', {}, { capacity: { ...found.capacity, 'a.b/c': '1' } }, true],
  ];
  for (const [name, changes, over, want] of cases) {
    const there = { ...found, ...over };
    t.equal(isNews(composeNodeStatus(makeReading(changes), there, start + 10_000), there), want, name);
  }
  t.equal(isNews(found, undefined), true, 'a node without a status');
});

t.test('the first object', async (t) => {
  const taint = { key: 'k', effect: 'NoSchedule' } as const;
  const node = initialNode(makeReading({ node: { podCidr: '10.0.0.0/24', taints: [taint] } }), start);
  t.match(node, {
    metadata: {
      name: 'node-1',
      labels: { role: 'test', 'kubernetes.io/hostname': 'node-1', 'kubernetes.io/arch': 'amd64' },
    },
    spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'], taints: [taint] },
  });
  t.strictSame(initialNode(makeReading(), start).spec, {});
});
