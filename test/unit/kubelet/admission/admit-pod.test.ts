import t from 'tap';
import type { V1Node } from '../../../../src/kube/node-objects.js';
import type { V1Pod, V1PodSpec } from '../../../../src/kube/pod-objects.js';
import {
  type AdmissionInputs,
  chooseVictims,
  findRejection,
  tolerates,
} from '../../../../src/kubelet/admission/admit-pod.js';

const node: V1Node = {
  metadata: { name: 'node-1', labels: { disk: 'ssd', cores: '8' } },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3', 'example.com/gpu': '1' } },
};

type Asks = Readonly<Record<string, string>>;

function makePod(name: string, requests: Asks = {}, spec: Partial<V1PodSpec> = {}): V1Pod {
  return { metadata: { name, uid: name }, spec: { containers: [{ name: 'c', resources: { requests } }], ...spec } };
}

const isStatic = { 'kubernetes.io/config.source': 'file' };
const makeStatic = (name: string, requests: Asks = {}): V1Pod => {
  const pod = makePod(name, requests);
  return { ...pod, metadata: { ...pod.metadata, annotations: isStatic } };
};
const withPort = (name: string, hostPort: number, hostIP?: string): V1Pod =>
  makePod(
    name,
    {},
    { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}) }] }] },
  );

interface Case extends Partial<Omit<AdmissionInputs, 'node'>> {
  readonly name: string;
  readonly node?: V1Node | undefined;
  /** Its reason; undefined: admitted. */
  readonly want: string | undefined;
  readonly message?: string;
}

const crowd = [makePod('a'), makePod('b'), makePod('c')];
const cases: readonly Case[] = [
  { name: 'nothing asked', want: undefined },
  { name: 'all of it', pod: makePod('p', { cpu: '2', memory: '1Gi' }), want: undefined },
  {
    name: 'too much cpu',
    pod: makePod('p', { cpu: '1500m' }),
    active: [makePod('a', { cpu: '600m' })],
    want: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000",
  },
  {
    name: 'too much memory',
    pod: makePod('p', { memory: '513Mi' }),
    active: [makePod('a', { memory: '512Mi' })],
    want: 'OutOfmemory',
    message: "Node didn't have enough resource: memory, requested: 537919488, used: 536870912, capacity: 1073741824",
  },
  {
    name: 'tenths that add up',
    pod: makePod('p', { cpu: '200m' }),
    node: { ...node, status: { allocatable: { cpu: '2', pods: '9' } } },
    // In floats they are more than two cores.
    active: [makePod('a', { cpu: '100m' }), makePod('b', { cpu: '1100m' }), makePod('c', { cpu: '600m' })],
    want: undefined,
  },
  { name: 'an extended resource', pod: makePod('p', { 'example.com/gpu': '2' }), want: 'OutOfexample.com/gpu' },
  { name: 'a resource that the node does not list', pod: makePod('p', { 'example.com/other': '2' }), want: undefined },
  {
    name: 'too many pods',
    active: crowd,
    want: 'OutOfpods',
    message: "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
  },
  {
    name: 'nothing known of the node',
    node: undefined,
    active: crowd,
    pod: makePod('p', { cpu: '9' }),
    want: undefined,
  },
  { name: 'another node', pod: makePod('p', {}, { nodeName: 'node-2' }), want: 'NodeName' },
  { name: 'this node', pod: makePod('p', {}, { nodeName: 'node-1' }), want: undefined },
  { name: 'a label', pod: makePod('p', {}, { nodeSelector: { disk: 'ssd' } }), want: undefined },
  { name: 'no such label', pod: makePod('p', {}, { nodeSelector: { disk: 'hdd' } }), want: 'NodeAffinity' },
  { name: 'a port that is free', pod: withPort('p', 80), active: [withPort('a', 81)], want: undefined },
  { name: 'a port that is taken', pod: withPort('p', 80), active: [withPort('a', 80)], want: 'NodePorts' },
  {
    name: 'a port of another address',
    pod: withPort('p', 80, '127.0.0.1'),
    active: [withPort('a', 80, '127.0.0.2')],
    want: undefined,
  },
  {
    name: 'a port of every address',
    pod: withPort('p', 80, '127.0.0.1'),
    active: [withPort('a', 80)],
    want: 'NodePorts',
  },
  {
    name: 'another protocol',
    pod: withPort('p', 53),
    active: [
      makePod('a', {}, { containers: [{ name: 'c', ports: [{ containerPort: 53, hostPort: 53, protocol: 'UDP' }] }] }),
    ],
    want: undefined,
  },
  { name: 'Windows', pod: makePod('p', {}, { os: { name: 'windows' } }), want: 'PodOSNotSupported' },
  {
    name: 'memory is short: who asked for none stays out',
    pressure: ['MemoryPressure'],
    want: 'Evicted',
    message: 'The node had condition: [MemoryPressure]. ',
  },
  {
    name: 'memory is short: who asked for some comes in',
    pressure: ['MemoryPressure'],
    pod: makePod('p', { cpu: '1' }),
    want: undefined,
  },
  {
    name: 'memory is short: who tolerates it comes in',
    pressure: ['MemoryPressure'],
    pod: makePod('p', {}, { tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }] }),
    want: undefined,
  },
  {
    name: 'the disk is full',
    pressure: ['MemoryPressure', 'DiskPressure'],
    pod: makePod('p', { cpu: '1' }),
    want: 'Evicted',
    message: 'The node had condition: [MemoryPressure DiskPressure]. ',
  },
  {
    name: 'the disk is full: critical pods come in',
    pressure: ['DiskPressure'],
    pod: makePod('p', {}, { priority: 2e9 }),
    want: undefined,
  },
  { name: 'the disk is full: static pods come in', pressure: ['DiskPressure'], pod: makeStatic('p'), want: undefined },
  {
    name: 'a sysctl',
    pod: makePod('p', {}, { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
    want: 'SysctlForbidden',
    message: 'forbidden sysctl: "kernel.msgmax" not whitelisted',
  },
  {
    name: 'the first reason counts',
    pod: makePod('p', { cpu: '9' }, { nodeName: 'x', nodeSelector: { a: 'b' } }),
    want: 'OutOfcpu',
  },
];

for (const { name, want, message, ...inputs } of cases) {
  t.test(name, async (t) => {
    const all = { pod: makePod('p'), active: [], node, pressure: [], allowedSysctls: [], ...inputs };
    const found = findRejection(all);
    t.equal(found?.reason, want);
    if (message !== undefined) t.equal(found?.message, message);
    if (want) t.equal(found?.dependsOnNode, want.startsWith('OutOf') || want === 'NodeAffinity');
  });
}

t.test('tolerations', async (t) => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' } as const;
  t.ok(tolerates({ key: 'k', value: 'v' }, taint));
  t.ok(tolerates({ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, taint));
  t.ok(tolerates({ operator: 'Exists' }, taint), 'everything');
  t.notOk(tolerates({ key: 'k', value: 'w' }, taint));
  t.notOk(tolerates({ key: 'l', operator: 'Exists' }, taint));
  t.notOk(tolerates({ key: 'k', value: 'v', effect: 'NoExecute' }, taint));
});

t.test('whom a critical pod pushes aside', async (t) => {
  const critical = makePod('critical', { cpu: '1' }, { priority: 2_000_000_000 });
  const small = makePod('small', { cpu: '200m' });
  const middle = makePod('middle', { cpu: '900m' }, { priority: 5 });
  const big = makePod('big', { cpu: '900m' }, { priority: 10 });
  const best = makePod('best');
  const victims = (pod: V1Pod, active: readonly V1Pod[]) =>
    chooseVictims(
      pod,
      active,
      (left) => findRejection({ pod, active: left, node, pressure: [], allowedSysctls: [] }) !== undefined,
    )?.map(({ metadata }) => metadata?.name);
  const roomy = { ...node, status: { allocatable: { cpu: '2', pods: '10' } } };
  t.strictSame(victims(critical, [big, middle]), ['middle'], 'the least important');
  t.strictSame(
    chooseVictims(
      critical,
      [best, small, middle, big],
      (left) =>
        findRejection({ pod: critical, active: left, node: roomy, pressure: [], allowedSysctls: [] }) !== undefined,
    )?.map(({ metadata }) => metadata?.name),
    ['small', 'middle'],
    'as few as will do',
  );
  t.strictSame(
    victims(critical, [makePod('x', { cpu: '2' }, { priority: 2_000_000_001 }), big, middle]),
    undefined,
    'never one above it',
  );
  t.strictSame(victims(critical, [makeStatic('s', { cpu: '2' })]), undefined, 'never a static one');
  t.strictSame(victims(makePod('plain', { cpu: '1' }), [big, middle]), undefined, 'nor for a plain pod');
  t.strictSame(
    victims({ ...critical, spec: { containers: [], ...critical.spec, nodeSelector: { a: 'b' } } }, [big]),
    undefined,
    'what would not help',
  );
});
