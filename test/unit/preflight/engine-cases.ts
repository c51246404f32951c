import type { CheckCase } from './check-case.js';
import { goodCluster, goodInfo } from './good-facts.js';

const engine = (changes: Partial<typeof goodInfo>) => ({
  engine: { info: { ...goodInfo, ...changes }, message: '', hint: '' },
});
const noEngine = { engine: { info: undefined, message: 'no engine answers: /var/run/docker.sock', hint: '' } };
const cluster = (changes: Partial<typeof goodCluster>) => ({ cluster: { ...goodCluster, ...changes } });
const version = (kubernetesVersion: string) => cluster({ kubernetesVersion });
const cgroups = (mode: 'v1' | 'v2' | 'hybrid' | 'none', controllers: readonly string[]) => ({
  cgroups: { mode, hierarchies: [], controllers },
});
const v1Controllers = ['cpu', 'cpuacct', 'cpuset', 'memory'];

export const engineCases: Readonly<Record<string, readonly CheckCase[]>> = {
  root: [{ name: 'a user', values: { uid: 1000 }, severity: 'fail', found: /uid 1000/, fix: /sudo/ }],
  engine: [
    { name: 'none', values: noEngine, severity: 'fail', found: /no engine answers/, fix: /engine install/ },
    {
      name: 'none, with advice',
      values: { engine: { info: undefined, message: 'x', hint: 'Start it.' } },
      severity: 'fail',
      found: /x/,
      fix: /^Start it\.$/,
    },
    {
      name: 'too old',
      values: engine({ maxApiVersion: '1.40' }),
      severity: 'fail',
      found: /API 1\.40 at most/,
      fix: /20\.10/,
    },
    { name: 'newest', values: engine({ maxApiVersion: '1.52', apiVersion: '1.52' }), severity: 'ok', found: /1\.52/ },
    { name: 'two digits are no decimals', values: engine({ maxApiVersion: '1.100' }), severity: 'ok', found: /Engine/ },
    { name: 'rootless', values: engine({ rootless: true }), severity: 'fail', found: /rootless/, fix: /DOCKER_HOST/ },
    {
      name: 'elsewhere',
      values: engine({ endpoint: 'tcp://192.0.2.9:2376' }),
      severity: 'fail',
      found: /another machine/,
    },
    { name: 'by ssh', values: engine({ endpoint: 'ssh://root@h' }), severity: 'fail', found: /another machine/ },
    { name: 'TCP here', values: engine({ endpoint: 'tcp://127.0.0.1:2375' }), severity: 'ok', found: /2375/ },
    {
      name: 'a name that begins alike',
      values: engine({ endpoint: 'tcp://localhost.example:2375' }),
      severity: 'fail',
      found: /another/,
    },
  ],
  privileged: [
    {
      name: 'tried in vain',
      values: {
        privileged: { runs: 'no', message: 'unable to apply caps', missingCapabilities: ['CAP_SYS_RESOURCE'] },
      },
      severity: 'fail',
      found: /^this engine cannot run privileged containers: unable to apply caps; .*CAP_SYS_RESOURCE/,
      fix: /CapabilityBoundingSet/,
    },
    {
      name: 'run, whatever the engine lacks',
      values: { privileged: { runs: 'yes', message: '', missingCapabilities: ['CAP_SYS_RESOURCE'] } },
      severity: 'ok',
      found: /one was run/,
    },
    {
      name: 'not tried, rights missing',
      values: { privileged: { runs: 'unproven', message: '', missingCapabilities: ['CAP_SYS_RESOURCE'] } },
      severity: 'warn',
      found: /may not be able .*CAP_SYS_RESOURCE/,
    },
    {
      name: 'not tried, rights there',
      values: { privileged: { runs: 'unproven', message: '', missingCapabilities: [] } },
      severity: 'ok',
      found: /all capabilities/,
    },
    { name: 'no engine', values: noEngine, severity: 'warn', found: /not tried/ },
  ],
  cgroups: [
    { name: 'v1', values: cgroups('v1', v1Controllers), severity: 'ok', found: /^v1, driver systemd/ },
    { name: 'hybrid', values: cgroups('hybrid', v1Controllers), severity: 'ok', found: /hybrid/ },
    { name: 'none', values: cgroups('none', []), severity: 'fail', found: /none/, fix: /cgroupfs-mount/ },
    { name: 'no driver', values: engine({ cgroupDriver: 'none' }), severity: 'fail', found: /driver none/ },
    {
      name: 'v2 with 1.18',
      values: version('v1.18.20'),
      severity: 'fail',
      found: /v1\.18\.20 does not know version 2/,
      fix: /1\.19/,
    },
    { name: 'v2 with 1.19', values: version('v1.19.0'), severity: 'ok', found: /v2/ },
    {
      name: 'v1 with 1.17',
      values: { ...version('v1.17.17'), ...cgroups('v1', v1Controllers) },
      severity: 'ok',
      found: /v1/,
    },
    {
      name: 'v1 with 1.35',
      values: { ...version('v1.35.0'), ...cgroups('v1', v1Controllers) },
      severity: 'warn',
      found: /1\.35/,
      fix: /v2/,
    },
    {
      name: 'no memory controller',
      values: cgroups('v2', ['cpu', 'cpuset']),
      severity: 'fail',
      found: /without memory/,
      fix: /cgroup_enable=memory cgroup_memory=1/,
    },
    {
      name: 'v1 wants cpuacct',
      values: cgroups('v1', ['cpu', 'cpuset', 'memory']),
      severity: 'fail',
      found: /without cpuacct/,
    },
    { name: 'no engine to ask', values: noEngine, severity: 'ok', found: /^v2$/ },
  ],
  kernel: [
    {
      name: 'old',
      values: { kernel: { release: '3.10.0-1160.el7', overlay: true } },
      severity: 'warn',
      found: /3\.10/,
    },
    { name: 'ancient', values: { kernel: { release: '2.6.32', overlay: false } }, severity: 'fail', found: /2\.6/ },
    {
      name: '4.15 and 4.9',
      values: { kernel: { release: '4.9.0-8', overlay: true } },
      severity: 'warn',
      found: /4\.9/,
    },
    { name: '5.0', values: { kernel: { release: '5.0.0', overlay: true } }, severity: 'ok', found: /5\.0/ },
    { name: 'storage', values: engine({ storageDriver: 'vfs' }), severity: 'warn', found: /vfs/, fix: /overlay2/ },
    {
      name: 'overlay not loaded',
      values: { ...noEngine, kernel: { release: '6.1.0', overlay: false } },
      severity: 'warn',
      found: /without overlay/,
      fix: /modprobe/,
    },
  ],
  selinux: [
    {
      name: 'enforcing',
      values: { selinux: 'enforcing' },
      severity: 'warn',
      found: /enforcing/,
      fix: /container-selinux/,
    },
    { name: 'permissive', values: { selinux: 'permissive' }, severity: 'ok', found: /permissive/ },
  ],
};
