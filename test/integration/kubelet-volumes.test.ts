import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  statfs,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { messageOf } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/logger.js';
import { isAtOrUnder } from '../../src/host/mountinfo.js';
import { runCommand } from '../../src/host/run-command.js';
import type { KubeObject } from '../../src/kube/objects.js';
import type { V1Container, V1Pod, V1Volume } from '../../src/kube/pod-objects.js';
import type { ResourceRef } from '../../src/kube/resource-ref.js';
import { createMounter, type Mounter } from '../../src/kubelet/volumes/mounter.js';
import { createVolumes } from '../../src/kubelet/volumes/volumes.js';

/** The magic numbers that statfs(2) gives. */
const tmpfsMagic = 0x01021994;

async function whyNot(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'mounting wants root';
  const dir = await mkdtemp(join(tmpdir(), 'kubelet-volumes-probe-'));
  try {
    const { exitCode, stderr } = await runCommand('mount', ['-t', 'tmpfs', 'tmpfs', dir]);
    if (exitCode !== 0) return `this machine can't mount: ${stderr}`;
    await runCommand('umount', [dir]);
    return undefined;
  } finally {
    await rm(dir, { recursive: true });
  }
}

const skip = await whyNot();
const signal = new AbortController().signal;

/** A folder for a kubelet that runs beside the host's mounts, or in a mount namespace of its own that shares the folder. */
async function setUp(test: Test, apart: boolean) {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'kubelet-volumes-')));
  const here = createMounter({ identity: { hostRoot: '' }, run: runCommand });
  let host: ChildProcess | undefined;
  if (apart) {
    await here.mount({ source: 'tmpfs', target: base, fsType: 'tmpfs', options: [] });
    await runCommand('mount', ['--make-shared', base]);
    host = spawn('unshare', ['-m', '--propagation', 'unchanged', 'sh', '-c', 'echo; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(host.stdout ?? host, 'data');
  }
  const hostRoot = host ? `/proc/${host.pid}/root` : '';
  const mounter = createMounter({ identity: { hostRoot }, run: runCommand });
  test.teardown(async () => {
    host?.kill();
    for (const path of [...(await mountsBelow(here, base))].reverse()) await here.unmount(path);
    await rm(base, { recursive: true });
  });
  const rootDir = join(base, 'kubelet');
  await mkdir(rootDir);
  const objects = new Map<string, KubeObject>();
  const make = () =>
    createVolumes({
      identity: { rootDir, hostRoot },
      objects: {
        configMap: async () => ({ data: { key: 'config' } }),
        secret: async () => ({ data: { key: Buffer.from('hush').toString('base64') } }),
      },
      client: {
        find: async <T>(ref: ResourceRef<T>, { name }: { name: string }) => objects.get(`${ref.kind}/${name}`) as T,
        createToken: async () => ({ token: 'x', expirationTimestamp: '2100-01-01T00:00:00Z' }),
      },
      mounter,
      clock: systemClock,
      logger: silentLogger,
      random: () => 0,
      events: { pod: () => {}, node: () => {} },
      nodeAllocatable: () => ({}),
      hostIps: () => [],
      podIpsOf: () => [],
    });
  return { base, rootDir, mounter, objects, make };
}

async function mountsBelow(mounter: Mounter, folder: string): Promise<readonly string[]> {
  return (await mounter.mounts()).map(({ mountPoint }) => mountPoint).filter((path) => isAtOrUnder(path, folder));
}

function podOf(volumes: readonly V1Volume[], mounts: V1Container['volumeMounts']): V1Pod {
  return {
    metadata: { name: 'p', namespace: 'ns', uid: 'uid-1' },
    spec: { containers: [{ name: 'c', volumeMounts: mounts ?? [] }], volumes },
  };
}

for (const apart of [false, true]) {
  const where = apart ? "apart from the host's" : 'the host itself';
  t.test(`volumes on real mounts, ${where}`, { skip: skip ?? false }, async (test) => {
    const { base, rootDir, mounter, objects, make } = await setUp(test, apart);
    const local = join(base, 'disk');
    await mkdir(local);
    await writeFile(join(local, 'data'), 'precious');
    objects.set('PersistentVolumeClaim/claim', {
      metadata: { uid: 'u' },
      spec: { volumeName: 'pv' },
      status: { phase: 'Bound' },
    } as KubeObject);
    objects.set('PersistentVolume/pv', { spec: { claimRef: { uid: 'u' }, local: { path: local } } } as KubeObject);
    const volumes: V1Volume[] = [
      { name: 'scratch', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'config', configMap: { name: 'cm' } },
      { name: 'secret', secret: { secretName: 's' } },
      { name: 'disk', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'host', hostPath: { path: local } },
    ];
    const mounts = [
      ...volumes.map(({ name }) => ({ name, mountPath: `/${name}` })),
      { name: 'scratch', mountPath: '/a', subPath: 'logs/a' },
      { name: 'config', mountPath: '/b', subPath: 'key' },
      { name: 'secret', mountPath: '/c', subPath: 'key' },
      { name: 'disk', mountPath: '/d', subPath: 'made' },
      { name: 'host', mountPath: '/e', subPath: 'data' },
    ];
    const pod = podOf(volumes, mounts);
    const container = { name: 'c', volumeMounts: mounts };
    const before = make();
    await before.ensureMounted(pod, signal);
    const binds = await before.containerBinds(pod, container, new Map());
    const pathOf = (mountPath: string) => binds.find((bind) => bind.containerPath === mountPath)?.hostPath ?? 'none';
    const memory = await statfs(pathOf('/memory'));
    test.same([memory.type, memory.blocks * memory.bsize], [tmpfsMagic, 1024 * 1024]);
    test.equal((await stat(pathOf('/memory'))).mode & 0o7777, 0o1777);
    test.equal((await statfs(pathOf('/secret'))).type, tmpfsMagic);
    test.equal(await readFile(join(pathOf('/disk'), 'data'), 'utf8'), 'precious');
    test.equal(await readFile(pathOf('/b'), 'utf8'), 'config');
    test.equal(await readFile(pathOf('/c'), 'utf8'), 'hush');
    test.equal(await readFile(pathOf('/e'), 'utf8'), 'precious');
    await writeFile(join(pathOf('/a'), 'line'), 'x');
    test.same(await readdir(join(pathOf('/scratch'), 'logs/a')), ['line']);

    const count = (await mountsBelow(mounter, base)).length;
    const after = make();
    await after.ensureMounted(pod, signal);
    test.same(await after.containerBinds(pod, container, new Map()), binds);
    test.equal((await mountsBelow(mounter, base)).length, count, 'a restart mounts nothing twice');

    const outside = join(base, 'outside');
    await mkdir(outside);
    await symlink(outside, join(pathOf('/scratch'), 'link'));
    const leading = { name: 'c', volumeMounts: [{ name: 'scratch', mountPath: '/x', subPath: 'link' }] };
    await test.rejects(after.containerBinds(pod, leading, new Map()), /failed to prepare subPath/);

    test.equal(await make().tearDown('uid-1'), true);
    test.same(await mountsBelow(mounter, rootDir), [join(rootDir, 'memory-volumes')]);
    test.same(await readdir(join(rootDir, 'pods')), []);
    test.same((await readdir(local)).sort(), ['data', 'made'], 'what was bound from elsewhere is there');
  });
}

async function whyNoLoop(): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'kubelet-volumes-probe-'));
  try {
    const { device, fault } = await attachLoop(join(dir, 'disk'));
    if (device === undefined) return `this machine has no loop devices: ${fault}`;
    await runCommand('losetup', ['-d', device]);
    const { exitCode } = await runCommand('mkfs.ext4', ['-V']);
    return exitCode === 0 ? undefined : 'this machine has no mkfs.ext4';
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function attachLoop(file: string): Promise<{ readonly device?: string; readonly fault?: string }> {
  await writeFile(file, '');
  await truncate(file, 20_000_000);
  const { exitCode, stdout, stderr } = await runCommand('losetup', ['-f', '--show', file]);
  return exitCode === 0 ? { device: stdout.trim() } : { fault: stderr };
}

const skipLoop = skip ?? (await whyNoLoop());

for (const apart of [false, true]) {
  const where = apart ? "apart from the host's" : 'the host itself';
  t.test(`a local volume on a block device, ${where}`, { skip: skipLoop ?? false }, async (test) => {
    const { base, rootDir, mounter, objects, make } = await setUp(test, apart);
    const { device = '', fault } = await attachLoop(join(base, 'image'));
    test.equal(fault, undefined);
    test.teardown(() => runCommand('losetup', ['-d', device]));
    const link = join(base, 'by-name');
    await symlink(device, link);
    objects.set('PersistentVolumeClaim/claim', {
      metadata: { uid: 'u' },
      spec: { volumeName: 'pv' },
      status: { phase: 'Bound' },
    } as KubeObject);
    const provide = (spec: object) =>
      objects.set('PersistentVolume/pv', { spec: { claimRef: { uid: 'u' }, ...spec } } as KubeObject);
    const podWith = (uid: string, user: Partial<V1Container>, readOnly = false): V1Pod => ({
      metadata: { name: uid, namespace: 'ns', uid },
      spec: {
        containers: [{ name: 'c', ...user }],
        volumes: [{ name: 'disk', persistentVolumeClaim: { claimName: 'claim', readOnly } }],
        securityContext: { fsGroup: 1234 },
      },
    });
    const files = { volumeMounts: [{ name: 'disk', mountPath: '/disk' }] };
    /** On the host: what is remounted there stays as it was elsewhere. */
    const touch = async (uid: string) => (await mounter.runOnHost(['touch', join(pathIn(uid), 'more')], 10_000)).stderr;
    const globalPath = join(rootDir, 'plugins/kubernetes.io/local-volume/mounts/pv');
    const pathIn = (uid: string) => join(rootDir, `pods/${uid}/volumes/kubernetes.io~local-volume/pv`);

    provide({ local: { path: link }, mountOptions: ['noatime'] });
    await test.rejects(make().ensureMounted(podWith('reader', files, true), AbortSignal.timeout(300)), /./);
    test.equal(await make().tearDown('reader'), true, 'what was never formatted is not formatted for a reader');
    const first = make();
    await first.ensureMounted(podWith('a', files), signal);
    const own = await stat(pathIn('a'));
    test.same([own.gid, own.mode & 0o7777], [1234, 0o2775]);
    await writeFile(join(pathIn('a'), 'data'), 'precious');
    const table = await mounter.mounts();
    const global = table.find(({ mountPoint }) => mountPoint === globalPath);
    test.match(global, { source: device, fsType: 'ext4', options: /noatime/ });
    test.match(
      table.find(({ mountPoint }) => mountPoint === pathIn('a')),
      { device: global?.device, options: /noatime/ },
    );
    const second = make();
    await second.ensureMounted(podWith('b', files, true), signal);
    test.equal(await readFile(join(pathIn('b'), 'data'), 'utf8'), 'precious');
    test.match(await touch('b'), /Read-only file system/);
    test.equal(await second.tearDown('a'), true);
    test.same(new Set(await mountsBelow(mounter, rootDir)), new Set([globalPath, pathIn('b')]));
    test.equal(await make().tearDown('b'), true);
    test.same(await mountsBelow(mounter, rootDir), []);
    const third = make();
    await third.ensureMounted(podWith('d', files, true), signal);
    await third.ensureMounted(podWith('c', files), signal);
    test.equal(await readFile(join(pathIn('c'), 'data'), 'utf8'), 'precious', 'it is not formatted again');
    await writeFile(join(pathIn('c'), 'more'), '');
    test.match(await touch('d'), /Read-only file system/);
    test.equal(await touch('c'), '');
    for (const uid of ['c', 'd']) test.equal(await third.tearDown(uid), true);
    test.same(await mountsBelow(mounter, rootDir), []);

    provide({ local: { path: link }, volumeMode: 'Block' });
    const raw = { volumeDevices: [{ name: 'disk', devicePath: '/dev/x' }] };
    const pod = podWith('e', raw, true);
    await third.ensureMounted(pod, signal);
    test.same(await third.containerDevices(pod, { name: 'c', ...raw }), [
      { hostPath: device, containerPath: '/dev/x', readOnly: true },
    ]);
    test.same(await mountsBelow(mounter, rootDir), []);
    test.equal(await third.tearDown('e'), true);
  });
}

t.test('a mount that is busy keeps the pod', { skip: skip ?? false }, async (test) => {
  const { rootDir, mounter, make } = await setUp(test, false);
  const volumes: V1Volume[] = [{ name: 'memory', emptyDir: { medium: 'Memory' } }];
  const made = make();
  await made.ensureMounted(podOf(volumes, [{ name: 'memory', mountPath: '/m' }]), signal);
  const path = join(rootDir, 'pods/uid-1/volumes/kubernetes.io~empty-dir/memory');
  const held = await open(join(path, 'held'), 'w');
  test.equal(await made.tearDown('uid-1'), false);
  test.same(await readdir(path), ['held']);
  await held.close();
  test.equal(await made.tearDown('uid-1'), true);
  test.same(await mountsBelow(mounter, rootDir), []);
});
