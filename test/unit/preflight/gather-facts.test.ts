import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { FactSources } from '../../../src/preflight/fact-sources.js';
import { gatherFacts } from '../../../src/preflight/gather-facts.js';
import { probePath } from '../../../src/preflight/probe-image.js';
import { runPreflight } from '../../../src/preflight/run-preflight.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { makeHost, programMissing } from '../host/support.js';
import { goodCluster } from './good-facts.js';

const kubeletId = 'a'.repeat(64);
const files = {
  '/proc/self/mountinfo':
    '27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n32 27 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory\n',
  '/proc/cgroups': '#subsys_name\n',
  '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\nSwapTotal: 0 kB\n',
  '/proc/filesystems': 'nodev\toverlay\n',
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/proc/sys/net/bridge/bridge-nf-call-iptables': '1\n',
  '/proc/net/route':
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n',
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/proc/net/tcp':
    'header\n 0: 00000000:192B 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n 1: 00000000:0016 00000000:0000 0A 0:0 0:0 0 0 0 78 1\n',
  '/proc/70/stat': '70 (kube-apiserver) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n',
  '/proc/70/comm': 'kube-apiserver\n',
  '/proc/70/cmdline': 'kube-apiserver\0--x\0',
  '/proc/70/cgroup': `0::/docker/${kubeletId}\n`,
};

/** A clock whose waits end only when the test says so. */
function makeManualClock() {
  const waits: { readonly ms: number; readonly end: () => void }[] = [];
  return {
    waits,
    now: () => Date.parse('2026-01-02T03:04:05Z'),
    monotonicMs: () => 0,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        waits.push({ ms, end: resolve });
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  };
}

async function setUp(t: Test, changes: Partial<FactSources> = {}) {
  const host = await makeHost(t, files, async (file) => {
    throw programMissing(file);
  });
  await mkdir(join(host.root, '/proc/70/fd'), { recursive: true });
  await symlink('socket:[77]', join(host.root, '/proc/70/fd/3'));
  const engine = makeFakeEngine(() => Date.parse('2025-06-01T00:00:00Z'));
  engine.arrangeInfo({ cgroupVersion: 2 });
  engine.arrangeProgram([probePath], { exit: 0 });
  const clock = makeManualClock();
  const sources: FactSources = {
    host,
    clock,
    engine,
    uid: () => 0,
    cpus: () => 4,
    hostname: () => 'vm',
    localAddresses: () => ['127.0.0.1', '192.0.2.2'],
    lookup: async () => ['127.0.1.1', '127.0.1.1'],
    ...changes,
  };
  return { sources, engine, clock, host };
}

const options = { cluster: goodCluster };

t.test('a machine’s facts, all of them known', async (t) => {
  const { sources } = await setUp(t);
  const facts = await gatherFacts(sources, options);
  for (const [key, fact] of Object.entries(facts)) t.equal(fact.known, true, key);
  t.match(facts, {
    engine: { value: { info: { version: '20.10.24' } } },
    privileged: { value: { runs: 'yes' } },
    cgroups: { value: { mode: 'v2' } },
    memory: { value: { totalBytes: 8_192_000_000 } },
    names: { value: { hostnameAddresses: ['127.0.1.1'] } },
    routes: { value: [{ destination: '192.0.2.0/24' }] },
    resolver: { value: { chosenNameservers: ['192.0.2.53'] } },
    propagation: { value: { shared: true } },
    netfilter: { value: undefined },
    selinux: { value: 'off' },
    kernel: { value: { release: '6.1.0-18-amd64', overlay: true } },
  });
  const { findings } = runPreflight(facts, { skip: ['disk'] });
  t.same(
    findings.filter(({ severity }) => severity !== 'ok').map(({ id, found }) => `${id}: ${found}`),
    ['ports: 6443 (kube-apiserver) is taken by kube-apiserver (pid 70: kube-apiserver --x)'],
  );
});

t.test('an engine that hangs spoils only what depends on it', async (t) => {
  const { sources, clock, engine } = await setUp(t);
  const hanging = {
    ...engine,
    info: () => new Promise<never>(() => {}),
    listContainers: () => new Promise<never>(() => {}),
  };
  const gathering = gatherFacts({ ...sources, engine: hanging }, options);
  // Everything else has been answered before the time is up.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  for (const wait of clock.waits.filter(({ ms }) => ms === 1500)) wait.end();
  const facts = await gathering;
  t.match(facts.engine, { known: true, value: { info: undefined, message: 'no answer after 1.5 s' } });
  t.match(facts.privileged, { known: false, reason: 'no answer after 1.5 s' });
  t.match(facts.ports, { known: false });
  t.match(facts.cpus, { known: true, value: 4 });
});

t.test('no engine at all', async (t) => {
  const engineError = new HyperupError('EngineUnreachable', 'nobody answers', { hint: 'Start it.' });
  const { sources } = await setUp(t, { engine: undefined, engineError });
  const facts = await gatherFacts(sources, options);
  t.match(facts.engine, { known: true, value: { info: undefined, message: 'nobody answers', hint: 'Start it.' } });
  const { findings } = runPreflight(facts);
  t.match(
    findings.find(({ id }) => id === 'engine'),
    { severity: 'fail', found: 'nobody answers', fix: 'Start it.' },
  );
  t.match(
    findings.find(({ id }) => id === 'privileged'),
    { severity: 'warn' },
  );
});

t.test('our own cluster’s ports and pods are told from those of others', async (t) => {
  const { sources, engine } = await setUp(t);
  const listed = (labels: Readonly<Record<string, string>>) => [
    { id: kubeletId, name: 'x', image: 'x', imageId: 'x', state: 'running', labels, createdAt: '' } as const,
  ];
  const withContainers = (managed: Readonly<Record<string, string>>) => ({
    ...engine,
    listContainers: async (filter?: { readonly labels?: readonly string[] }) =>
      filter?.labels?.[0] === 'io.hyperup.managed' ? listed(managed) : listed({ 'io.kubernetes.pod.name': 'etcd-vm' }),
  });
  const skip = ['privileged', 'engine'];
  const own = await gatherFacts(
    { ...sources, engine: withContainers({ 'io.hyperup.cluster': goodCluster.name }) },
    { ...options, skip },
  );
  t.match(own.ports, {
    value: [
      { port: 22, own: false },
      { port: 6443, own: true },
    ],
  });
  t.match(own.formerInstall, { value: { traces: [] } });
  const other = await gatherFacts(
    { ...sources, engine: withContainers({ 'io.hyperup.cluster': 'other' }) },
    { ...options, skip },
  );
  t.match(other.ports, { value: [{ own: false }, { own: false }] });
  t.match(other.formerInstall, { value: { traces: [{ what: '1 containers of pods (etcd-vm)', blocking: true }] } });
});

t.test('what only skipped checks need isn’t gathered, and a proof is made only where it may be', async (t) => {
  const skipped = await setUp(t);
  t.match((await gatherFacts(skipped.sources, { ...options, skip: ['privileged'] })).privileged, {
    known: false,
    reason: 'the check is skipped',
  });
  t.notOk(skipped.engine.calls.some(({ call }) => call === 'importImage'));
  const dry = await setUp(t);
  t.match((await gatherFacts(dry.sources, { ...options, proofs: false })).privileged, { value: { runs: 'unproven' } });
  t.notOk(dry.engine.calls.some(({ call }) => ['importImage', 'createContainer'].includes(call)));
});

t.test('a host name whose look-up fails resolves to nothing', async (t) => {
  const { sources } = await setUp(t, { lookup: () => Promise.reject(new Error('ENOTFOUND')) });
  t.match((await gatherFacts(sources, options)).names, { known: true, value: { hostnameAddresses: [] } });
});

t.test('a file that can’t be read is a reason, not a crash', async (t) => {
  const { sources, host } = await setUp(t);
  await mkdir(join(host.root, '/proc/net/udp'));
  const { ports } = await gatherFacts(sources, options);
  t.match(ports, { known: false, reason: /read \/proc\/net\/udp/ });
});
