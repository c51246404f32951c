import t from 'tap';
import type { MachineFacts } from '../../../../src/kubelet/node/machine-facts.js';
import { computeNodeRoom, mergeRoom, threshold } from '../../../../src/kubelet/node/node-capacity.js';
import { facts } from './node-reading.js';

const gib = 1024 ** 3;
const nothing = { hard: {}, soft: {}, softGraceMs: {}, maxPodGraceSeconds: 0, pressureTransitionMs: 0, intervalMs: 1 };

interface Case {
  readonly name: string;
  readonly facts?: Partial<MachineFacts>;
  readonly reserved?: Readonly<Record<string, string>>;
  readonly hard?: Readonly<Record<string, string>>;
  readonly capacity?: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

const cases: readonly Case[] = [
  {
    name: 'nothing set aside',
    capacity: { cpu: '2', memory: `${4 * 1024 * 1024}Ki`, pods: '9', 'ephemeral-storage': `${100 * 1024 * 1024}Ki` },
    allocatable: { cpu: '2', memory: `${4 * 1024 * 1024}Ki`, pods: '9', 'ephemeral-storage': String(100 * gib) },
  },
  {
    name: 'reserves',
    reserved: { cpu: '250m', memory: '1Gi', 'ephemeral-storage': '10Gi' },
    capacity: { cpu: '2', memory: `${4 * 1024 * 1024}Ki` },
    allocatable: { cpu: '1750m', memory: `${3 * 1024 * 1024}Ki`, 'ephemeral-storage': String(90 * gib) },
  },
  { name: 'whole cores', reserved: { cpu: '1000m' }, allocatable: { cpu: '1' } },
  {
    name: 'thresholds',
    hard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'imagefs.available': '15%' },
    allocatable: { memory: `${4 * 1024 * 1024 - 100 * 1024}Ki`, 'ephemeral-storage': String(90 * gib) },
  },
  {
    name: 'huge pages are no memory for others',
    facts: {
      hugePages: new Map([
        [2 * 1024 ** 2, 512 * 1024 ** 2],
        [gib, 0],
      ]),
    },
    capacity: { memory: `${4 * 1024 * 1024}Ki`, 'hugepages-2Mi': '524288Ki', 'hugepages-1Gi': '0' },
    allocatable: { memory: `${3.5 * 1024 * 1024}Ki`, 'hugepages-2Mi': '524288Ki', 'hugepages-1Gi': '0' },
  },
  {
    name: 'never below nothing',
    reserved: { cpu: '3', memory: '8Gi', 'ephemeral-storage': '1Ti' },
    allocatable: { cpu: '0', memory: '0Ki', 'ephemeral-storage': '0' },
  },
];

for (const { name, facts: over, reserved = {}, hard = {}, capacity = {}, allocatable } of cases) {
  t.test(name, async (t) => {
    const room = computeNodeRoom({ ...facts, ...over }, { maxPods: 9, reserved, eviction: { ...nothing, hard } });
    t.match(room.capacity, capacity);
    t.match(room.allocatable, allocatable);
    t.strictSame(Object.keys(room.allocatable), Object.keys(room.capacity));
  });
}

t.test('thresholds', async (t) => {
  t.equal(threshold(undefined, 1000), 0);
  t.equal(threshold('10%', 1000), 100);
  t.equal(threshold('1.5%', 1000), 15);
  t.equal(threshold('1Ki', 1000), 1024);
});

t.test("somebody's extended resources stay, ours are ours", async (t) => {
  const ours = { capacity: { cpu: '2', pods: '9' }, allocatable: { cpu: '1', pods: '9' } };
  const found = {
    capacity: { cpu: '7', 'example.com/gpu': '3', 'hugepages-2Mi': '4Mi', 'attachable-volumes-x': '9' },
    allocatable: { cpu: '7', 'example.com/gpu': '1', 'example.com/gone': '2' },
  };
  t.strictSame(mergeRoom(ours, found), {
    capacity: { 'example.com/gpu': '3', cpu: '2', pods: '9' },
    allocatable: { 'example.com/gpu': '3', cpu: '1', pods: '9' },
  });
  t.strictSame(mergeRoom(ours, {}), ours);
});
