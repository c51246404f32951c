import t from 'tap';
import type { V1Container, V1Pod, V1ResourceRequirements } from '../../../../src/kube/pod-objects.js';
import {
  podCgroupParent,
  podCgroupPath,
  possiblePodCgroupPaths,
} from '../../../../src/kubelet/runtime/cgroup-names.js';
import { cgroupFiles, podCgroupValues } from '../../../../src/kubelet/runtime/cgroup-values.js';
import {
  containerResources,
  logConfig,
  oomScoreOf,
  resourcesForUpdate,
} from '../../../../src/kubelet/runtime/resources.js';

const containerOf = (resources: V1ResourceRequirements): V1Container => ({ name: 'main', resources });
const podOf = (...all: readonly V1ResourceRequirements[]): V1Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'a-b' },
  spec: { containers: all.map(containerOf) },
});
const guaranteed = { limits: { cpu: '500m', memory: '100Mi' }, requests: { cpu: '500m', memory: '100Mi' } };
const burstable = { requests: { cpu: '250m', memory: '500M' }, limits: { cpu: '1' } };

t.test("a container's share", (t) => {
  const cases: readonly (readonly [string, V1ResourceRequirements, object])[] = [
    ['nothing', {}, { CpuShares: 2, CpuPeriod: 100_000, CpuQuota: 0 }],
    ['a request', { requests: { cpu: '250m' } }, { CpuShares: 256, CpuPeriod: 100_000, CpuQuota: 0 }],
    ['a limit alone', { limits: { cpu: '500m' } }, { CpuShares: 512, CpuPeriod: 100_000, CpuQuota: 50_000 }],
    ['the least quota', { limits: { cpu: '5m' } }, { CpuShares: 5, CpuPeriod: 100_000, CpuQuota: 1000 }],
    ['memory', { limits: { memory: '64Mi' } }, { Memory: 67_108_864, MemorySwap: 67_108_864 }],
  ];
  for (const [name, resources, want] of cases) t.match(containerResources(containerOf(resources)), want, name);
  t.equal(resourcesForUpdate(containerOf({})).CpuQuota, -1, 'a limit that went is taken away expressly');
  t.strictSame(logConfig('10Mi', 5).Config, { 'max-size': '10485760', 'max-file': '5' });
  t.end();
});

t.test('who goes first without memory', (t) => {
  const critical = { ...podOf({}), spec: { ...podOf({}).spec, priority: 2_000_000_000, containers: [] } };
  const cases: readonly (readonly [string, V1Pod, V1ResourceRequirements, number])[] = [
    ['guaranteed', podOf(guaranteed), guaranteed, -997],
    ['best effort', podOf({}), {}, 1000],
    ['half of the memory', podOf(burstable), burstable, 500],
    ['almost none', podOf({ requests: { cpu: '1' } }), { requests: { cpu: '1' } }, 999],
    ['more than there is', podOf(burstable), { requests: { memory: '2G' } }, 3],
    ['critical', critical, {}, -997],
  ];
  for (const [name, pod, own, want] of cases) t.equal(oomScoreOf(pod, containerOf(own), 1e9), want, name);
  t.end();
});

t.test('where a pod has its cgroup', (t) => {
  const fs = { perQos: true, root: '/', driver: 'cgroupfs' } as const;
  const systemd = { perQos: true, root: '/node-1', driver: 'systemd' } as const;
  t.equal(podCgroupParent(podOf(guaranteed), fs), '/kubepods/poda-b');
  t.equal(podCgroupParent(podOf(burstable), fs), '/kubepods/burstable/poda-b');
  t.equal(podCgroupParent(podOf({}), systemd), 'node_1-kubepods-besteffort-poda_b.slice');
  t.equal(
    podCgroupPath(podOf({}), systemd),
    'node_1.slice/node_1-kubepods.slice/node_1-kubepods-besteffort.slice/node_1-kubepods-besteffort-poda_b.slice',
  );
  t.equal(podCgroupParent(podOf({}), { ...fs, perQos: false }), undefined);
  t.equal(podCgroupParent(podOf({}), { ...fs, perQos: false, root: '/own' }), '/own');
  t.strictSame(possiblePodCgroupPaths('x', fs), [
    'kubepods/podx',
    'kubepods/burstable/podx',
    'kubepods/besteffort/podx',
  ]);
  t.throws(() => possiblePodCgroupPaths('../x', fs), { code: 'InvalidConfig' });
  t.end();
});

t.test('what it holds', (t) => {
  t.strictSame(podCgroupValues(podOf(guaranteed), -1), {
    cpuShares: 512,
    cpuQuotaUs: 50_000,
    memoryBytes: 104_857_600,
  });
  t.strictSame(podCgroupValues(podOf(burstable), 9), { cpuShares: 256, cpuQuotaUs: 100_000, pids: 9 });
  t.strictSame(podCgroupValues(podOf(burstable, {}), 0), { cpuShares: 256 }, 'one without a limit');
  t.strictSame(podCgroupValues(podOf({}), 0), { cpuShares: 2 });
  const values = { cpuShares: 1024, cpuQuotaUs: 50_000, memoryBytes: 1000, pids: 9 };
  t.strictSame(
    cgroupFiles(values, 1).map(({ controller, name, value }) => `${controller}/${name}=${value}`),
    [
      'cpu/cpu.shares=1024',
      'cpu/cpu.cfs_period_us=100000',
      'cpu/cpu.cfs_quota_us=50000',
      'memory/memory.limit_in_bytes=1000',
      'pids/pids.max=9',
    ],
  );
  t.strictSame(
    cgroupFiles(values, 2).map(({ controller, name, value }) => `${controller}/${name}=${value}`),
    ['/cpu.weight=39', '/cpu.max=50000 100000', '/memory.max=1000', '/pids.max=9'],
  );
  t.end();
});
