import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { V1Container, V1Pod } from '../../../../src/kube/pod-objects.js';
import { createPodFiles } from '../../../../src/kubelet/network/pod-files.js';
import type { RuntimeContainer } from '../../../../src/kubelet/types.js';

const container = (more: Partial<V1Container> = {}): V1Container => ({ name: 'app', ...more });

const podOf = (
  containers: readonly V1Container[],
  spec: Partial<NonNullable<V1Pod['spec']>> = {},
  uid = 'u-1',
): V1Pod => ({
  metadata: { name: 'web', namespace: 'ns', uid },
  spec: { containers, ...spec },
});

function instance(more: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: 'c1',
    name: 'app',
    podUid: 'u-1',
    sandboxId: 's1',
    attempt: 0,
    state: 'exited',
    createdAtMs: 1,
    startedAtMs: 1,
    finishedAtMs: 2,
    exitCode: 1,
    reason: 'Error',
    message: '',
    image: 'i',
    imageId: 'i',
    hash: 'h',
    pid: 0,
    logPath: '',
    tty: false,
    openStdin: false,
    ...more,
  };
}

function setUp(t: Test) {
  const rootDir = t.testdir({});
  const hostRoot = join(rootDir, 'host');
  const files = createPodFiles({
    identity: { rootDir, hostRoot: '' },
    nodeHostname: 'node',
    clusterDomain: 'cluster.local',
  });
  return { files, rootDir, hostRoot };
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

t.test('binds: hosts file and termination log, whatever the umask', async (t) => {
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const { files, rootDir } = setUp(t);
  const pod = podOf([container()]);
  const binds = await files.containerBinds(pod, container(), 10, ['10.0.0.5']);
  const hosts = join(rootDir, 'pods/u-1/etc-hosts');
  const log = join(rootDir, 'pods/u-1/containers/app/0000000a');
  t.same(binds, [
    { hostPath: hosts, containerPath: '/etc/hosts', readOnly: false, propagation: 'rprivate' },
    { hostPath: log, containerPath: '/dev/termination-log', readOnly: false, propagation: 'rprivate' },
  ]);
  t.match(await readFile(hosts, 'utf8'), /^# Kubernetes-managed hosts file\.\n[\s\S]*\n10\.0\.0\.5\tweb\n$/);
  t.same([await modeOf(hosts), await modeOf(log)], [0o644, 0o666]);

  const { ino } = await stat(hosts);
  await writeFile(log, 'old');
  await files.containerBinds(pod, container(), 10, ['10.0.0.6']);
  t.equal((await stat(hosts)).ino, ino, 'the hosts file is mounted: written in place');
  t.match(await readFile(hosts, 'utf8'), '10.0.0.6\tweb\n');
  t.equal(await readFile(log, 'utf8'), '', 'a new start has a new file');
});

t.test('no hosts file where the container has its own or there is no address', async (t) => {
  const { files } = setUp(t);
  const targets = async (given: V1Container, ips: readonly string[], spec = {}) =>
    (await files.containerBinds(podOf([given], spec), given, 0, ips)).map((bind) => bind.containerPath);
  const own = container({ volumeMounts: [{ name: 'v', mountPath: '/etc/hosts' }] });
  t.same(await targets(own, ['10.0.0.5']), ['/dev/termination-log']);
  t.same(await targets(container(), []), ['/dev/termination-log']);
  t.same(await targets(container(), [], { hostNetwork: true }), ['/etc/hosts', '/dev/termination-log']);
  t.same(await targets(container({ terminationMessagePath: 'tmp/log' }), []), ['/tmp/log']);
});

t.test('names that leave the folder are refused', async (t) => {
  const { files } = setUp(t);
  await t.rejects(files.containerBinds(podOf([], {}, '..'), container(), 0, []), { code: 'InvalidConfig' });
  await t.rejects(files.containerBinds(podOf([]), container({ name: '../x' }), 0, []), { code: 'InvalidConfig' });
});

t.test('termination messages', async (t) => {
  const { files, rootDir } = setUp(t);
  const logPath = join(rootDir, 'c1-json.log');
  const entries = ['first\n', 'DO', 'NE'].map((log) => JSON.stringify({ log, stream: 'stdout', time: 't' }));
  await writeFile(logPath, `${entries.join('\n')}\n`);
  const fallback = container({ terminationMessagePolicy: 'FallbackToLogsOnError' });
  const cases: [
    name: string,
    written: string | undefined,
    container: V1Container,
    instance: Partial<RuntimeContainer>,
    want: string,
  ][] = [
    ['written', 'bye', container(), {}, 'bye'],
    ['none', '', container(), { logPath }, ''],
    ['fallback', '', fallback, { logPath }, 'first\nDONE'],
    ['written wins', 'bye', fallback, { logPath }, 'bye'],
    ['no fallback on success', '', fallback, { logPath, exitCode: 0 }, ''],
    ['never ran', '', fallback, { logPath, reason: 'ContainerCannotRun' }, ''],
    ['no log', '', fallback, { logPath: join(rootDir, 'none') }, ''],
    ['the end counts', `${'x'.repeat(5000)}end`, container(), {}, `${'x'.repeat(4093)}end`],
  ];
  for (const [name, written, given, more, want] of cases) {
    const pod = podOf([given]);
    const [bind] = await files.containerBinds(pod, given, 0, []);
    if (written !== undefined) await writeFile(bind?.hostPath ?? '', written);
    t.equal(await files.readTerminationMessage(pod, instance(more), 4096), want, name);
  }
  t.equal(await files.readTerminationMessage(podOf([container()]), instance({ attempt: 7 }), 4096), '', 'no file');
});

t.test('many containers share 12 KiB, and logs are cut', async (t) => {
  const { files, rootDir } = setUp(t);
  const given = container({ terminationMessagePolicy: 'FallbackToLogsOnError' });
  const many = podOf(Array.from({ length: 12 }, (_, i) => ({ ...given, name: i === 0 ? 'app' : `c${i}` })));
  const [bind] = await files.containerBinds(many, given, 0, []);
  await writeFile(bind?.hostPath ?? '', 'y'.repeat(4096));
  t.equal((await files.readTerminationMessage(many, instance(), 4096)).length, 1024);

  const logPath = join(rootDir, 'long.log');
  const line = (log: string) => `${JSON.stringify({ log, stream: 'stderr', time: 't' })}\n`;
  await writeFile(logPath, Array.from({ length: 5000 }, (_, i) => line(`line ${i}\n`)).join(''));
  const pod = podOf([given]);
  await files.containerBinds(pod, given, 0, []);
  const text = await files.readTerminationMessage(pod, instance({ logPath }), 4096);
  t.equal(text.split('\n').length, 81);
  t.match(text, /^line 4920\n[\s\S]*line 4999\n$/);
  await writeFile(logPath, line(`${'z'.repeat(16_000)}end\n`).repeat(3));
  t.equal((await files.readTerminationMessage(pod, instance({ logPath }), 4096)).length, 2048);
});
