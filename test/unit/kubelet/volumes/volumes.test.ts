import { lstat, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { V1ConfigMap, V1Secret } from '../../../../src/kube/objects.js';
import type { V1Pod, V1Volume } from '../../../../src/kube/pod-objects.js';
import type { ResourceRef } from '../../../../src/kube/resource-ref.js';
import { createVolumes } from '../../../../src/kubelet/volumes/volumes.js';
import { makeFakeMounter } from '../../../fakes/fake-mounter.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const container = (volumes: readonly V1Volume[]) => ({
  name: 'c',
  volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })),
});

function podWith(volumes: readonly V1Volume[], more: Partial<V1Pod['metadata']> = {}): V1Pod {
  return {
    metadata: { name: 'p', namespace: 'ns', uid: 'uid-1', ...more },
    spec: { containers: [container(volumes)], volumes, serviceAccountName: 'sa' },
  };
}

function setUp(test: Test) {
  const rootDir = test.testdir();
  const clock = makeManualClock(Date.UTC(2020, 0, 1));
  const mounter = makeFakeMounter();
  const configMaps = new Map<string, V1ConfigMap>();
  const secrets = new Map<string, V1Secret>();
  const objects = new Map<string, object>();
  const events: string[] = [];
  const updated: string[] = [];
  let tokens = 0;
  const make = () =>
    createVolumes({
      identity: { rootDir, hostRoot: '' },
      objects: {
        configMap: async (_namespace, name) => configMaps.get(name),
        secret: async (_namespace, name) => secrets.get(name),
      },
      client: {
        find: async <T>(ref: ResourceRef<T>, key: { name: string }) => objects.get(`${ref.kind}/${key.name}`) as T,
        async createToken() {
          tokens += 1;
          return { token: `token-${tokens}`, expirationTimestamp: new Date(clock.now() + 1_000_000).toISOString() };
        },
      },
      mounter,
      clock,
      logger: silentLogger,
      random: () => 0,
      events: { pod: (_pod, type, reason, message) => events.push(`${type} ${reason} ${message}`), node: () => {} },
      nodeAllocatable: () => ({ cpu: '4' }),
      hostIps: () => ['10.0.0.1'],
      podIpsOf: () => [],
      onUpdated: (uid, volume) => updated.push(`${uid} ${volume}`),
    });
  return {
    rootDir,
    pod: join(rootDir, 'pods/uid-1'),
    clock,
    mounter,
    configMaps,
    secrets,
    objects,
    events,
    updated,
    make,
  };
}

/** Until it holds; file work takes real time, on a busy disk a lot of it. */
async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (performance.now() < endMs) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to be');
}

const never = new AbortController().signal;

t.test('sets up what containers use, and binds it', async (test) => {
  const { pod: dir, rootDir, mounter, configMaps, secrets, make } = setUp(test);
  configMaps.set('cm', { data: { key: 'value' } });
  secrets.set('s', { data: { password: Buffer.from('hush').toString('base64') } });
  const volumes: V1Volume[] = [
    { name: 'scratch', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    { name: 'config', configMap: { name: 'cm', defaultMode: 0o440 } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'down', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    { name: 'host', hostPath: { path: join(rootDir, 'host') } },
  ];
  const pod = {
    ...podWith(volumes),
    spec: { containers: [container(volumes)], volumes: [...volumes, { name: 'unused', csi: {} }] },
  };
  const made = make();
  await made.ensureMounted(pod, never);
  const memory = join(rootDir, 'memory-volumes/uid-1/secret');
  test.equal((await stat(join(dir, 'volumes/kubernetes.io~empty-dir/scratch'))).mode & 0o7777, 0o777);
  test.equal(await readFile(join(dir, 'volumes/kubernetes.io~configmap/config/key'), 'utf8'), 'value');
  test.equal((await stat(join(dir, 'volumes/kubernetes.io~configmap/config/key'))).mode & 0o777, 0o440);
  test.equal(await readlink(join(dir, 'volumes/kubernetes.io~secret/secret')), memory);
  test.equal(await readFile(join(memory, 'password'), 'utf8'), 'hush');
  test.same(mounter.requests.map(({ source, target, options }) => [source, target, options]).sort(), [
    ['tmpfs', join(rootDir, 'memory-volumes'), ['mode=0700']],
    ['tmpfs', join(dir, 'volumes/kubernetes.io~empty-dir/memory'), ['mode=1777', 'size=67108864']],
  ]);
  const binds = await made.containerBinds(pod, container(volumes), new Map());
  test.same(
    binds.map(({ hostPath, containerPath, readOnly, propagation }) => [hostPath, containerPath, readOnly, propagation]),
    [
      [join(dir, 'volumes/kubernetes.io~empty-dir/scratch'), '/scratch', false, 'rprivate'],
      [join(dir, 'volumes/kubernetes.io~empty-dir/memory'), '/memory', false, 'rprivate'],
      [join(dir, 'volumes/kubernetes.io~configmap/config'), '/config', true, 'rprivate'],
      [memory, '/secret', true, 'rprivate'],
      [join(dir, 'volumes/kubernetes.io~downward-api/down'), '/down', true, 'rprivate'],
      [join(rootDir, 'host'), '/host', false, 'rprivate'],
    ],
  );
  test.ok((await stat(join(rootDir, 'host'))).isDirectory(), 'a missing unchecked path is made');
  const mounts = mounter.requests.length;
  await make().ensureMounted(pod, never);
  test.equal(mounter.requests.length, mounts, 'after a restart nothing is mounted again');
});

t.test('propagation, read-only mounts, unknown volumes', async (test) => {
  const { make } = setUp(test);
  const pod = podWith([{ name: 'v', emptyDir: {} }]);
  const made = make();
  await made.ensureMounted(pod, never);
  const mount = { name: 'v', mountPath: '/v' };
  const bind = async (more: object) =>
    (await made.containerBinds(pod, { name: 'c', volumeMounts: [{ ...mount, ...more }] }, new Map()))[0];
  test.match(await bind({ readOnly: true }), { readOnly: true });
  test.match(await bind({ mountPropagation: 'HostToContainer' }), { propagation: 'rslave' });
  test.match(await bind({ mountPropagation: 'Bidirectional' }), { propagation: 'rshared' });
  await test.rejects(bind({ name: 'w' }), {
    reason: 'CreateContainerConfigError',
    message: 'cannot find volume "w" to mount into container "c"',
  });
});

t.test('waits for a config map and ends at once when it appears', async (test) => {
  const { clock, configMaps, events, make } = setUp(test);
  const pod = podWith([{ name: 'v', configMap: { name: 'late' } }]);
  const made = make();
  const done = made.ensureMounted(pod, never);
  await eventually(() => clock.sleeps.includes(500));
  test.same(events, ['Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "late" not found']);
  configMaps.set('late', { data: { a: '1' } });
  made.update(pod);
  await done;
});

t.test('gives up after two minutes and three seconds', async (test) => {
  const { clock, pod: dir, make } = setUp(test);
  const done = make().ensureMounted(
    podWith([
      { name: 'x', secret: { secretName: 'nope' } },
      { name: 'y', emptyDir: {} },
    ]),
    never,
  );
  await eventually(() => clock.sleeps.includes(500));
  const exists = () =>
    stat(join(dir, 'volumes/kubernetes.io~empty-dir/y')).then(
      () => true,
      () => false,
    );
  await eventually(exists);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(123_000);
  await test.rejects(done, {
    reason: 'FailedMount',
    message:
      'Unable to attach or mount volumes: unmounted volumes=[x], unattached volumes=[x y]: timed out waiting for the condition',
  });
});

t.test('a pod that is deleted meanwhile ends the wait', async (test) => {
  const { clock, make } = setUp(test);
  const stop = new AbortController();
  const done = make().ensureMounted(podWith([{ name: 'x', configMap: { name: 'nope' } }]), stop.signal);
  await eventually(() => clock.sleeps.includes(500));
  stop.abort();
  await test.rejects(done, { code: 'Aborted' });
});

t.test('what can never work fails at once', async (test) => {
  const { objects, make } = setUp(test);
  const claim = (phase: string) => ({ metadata: { uid: 'claim-uid' }, spec: { volumeName: 'pv' }, status: { phase } });
  objects.set('PersistentVolumeClaim/pending', claim('Pending'));
  objects.set('PersistentVolumeClaim/wrong', claim('Bound'));
  objects.set('PersistentVolume/pv', { spec: { claimRef: { uid: 'other' } } });
  objects.set('PersistentVolumeClaim/p-eph', claim('Bound'));
  const cases = [
    [{ name: 'x', csi: {} }, /volume "x": volume type "csi" is not supported/],
    [
      { name: 'x', persistentVolumeClaim: { claimName: 'none' } },
      /error processing PVC ns\/none: failed to fetch PVC .* "none" not found/,
    ],
    [
      { name: 'x', persistentVolumeClaim: { claimName: 'pending' } },
      /error processing PVC ns\/pending: PVC is not bound/,
    ],
    [
      { name: 'x', persistentVolumeClaim: { claimName: 'wrong' } },
      /ClaimRef.UID other does not point to claim.UID claim-uid/,
    ],
    [{ name: 'eph', ephemeral: {} }, /error processing PVC ns\/p-eph: not the ephemeral PVC for the pod/],
  ] as const;
  for (const [volume, message] of cases) {
    await test.rejects(make().ensureMounted(podWith([volume]), never), { reason: 'FailedMount', message });
  }
});

t.test('a claim on a hostPath volume, read-only by the pod', async (test) => {
  const { rootDir, objects, make } = setUp(test);
  objects.set('PersistentVolumeClaim/claim', {
    metadata: { uid: 'u' },
    spec: { volumeName: 'pv' },
    status: { phase: 'Bound' },
  });
  objects.set('PersistentVolume/pv', { spec: { claimRef: { uid: 'u' }, hostPath: { path: rootDir } } });
  const volume = { name: 'v', persistentVolumeClaim: { claimName: 'claim', readOnly: true } };
  const made = make();
  await made.ensureMounted(podWith([volume]), never);
  test.match(await made.containerBinds(podWith([volume]), container([volume]), new Map()), [
    { hostPath: rootDir, readOnly: true },
  ]);
});

t.test('files and devices: a claim fits how it is used', async (test) => {
  const { rootDir, objects, events, make } = setUp(test);
  const mounts = { name: 'c', volumeMounts: [{ name: 'v', mountPath: '/v' }] };
  const devices = { name: 'c', volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] };
  const cases = [
    [
      'Block',
      { local: { path: '/dev/none' } },
      mounts,
      'volume v has volumeMode Block, but is specified in volumeMounts',
    ],
    [
      undefined,
      { local: { path: '/dev/none' } },
      devices,
      'volume v has volumeMode Filesystem, but is specified in volumeDevices',
    ],
    [
      'Block',
      { hostPath: { path: '/dev/none' } },
      devices,
      'volume type "hostPath" of volumeMode "Block" of PersistentVolume "pv" is not supported',
    ],
    ['Block', { local: { path: rootDir } }, devices, 'it is not a block device'],
  ] as const;
  const volume = { name: 'v', persistentVolumeClaim: { claimName: 'claim' } };
  objects.set('PersistentVolumeClaim/claim', {
    metadata: { uid: 'u' },
    spec: { volumeName: 'pv' },
    status: { phase: 'Bound' },
  });
  for (const [volumeMode, source, user, text] of cases) {
    objects.set('PersistentVolume/pv', { spec: { claimRef: { uid: 'u' }, volumeMode, ...source } });
    const pod: V1Pod = { ...podWith([volume]), spec: { containers: [user], volumes: [volume] } };
    const message = new RegExp(text);
    await test.rejects(make().ensureMounted(pod, never), { reason: 'FailedMount', message });
  }
  test.match(events, [/^Warning FailedMapVolume MapVolume.MapPodDevice failed for volume "v" : .*not a block device/]);
  const made = make();
  const folder: V1Volume = { name: 'v', emptyDir: {} };
  await made.ensureMounted(podWith([folder]), never);
  const refused = [
    ['/dev/x', 'cannot find volume "v" to pass into container "c"'],
    ['dev/x', 'error DevicePath `dev/x` must be an absolute path'],
  ] as const;
  for (const [devicePath, message] of refused) {
    const wrong = { name: 'c', volumeDevices: [{ name: 'v', devicePath }] };
    const reason = 'CreateContainerConfigError';
    await test.rejects(made.containerDevices(podWith([folder]), wrong), { reason, message });
  }
});

t.test('renders changes of objects and of the pod; keeps what it had when a source goes', async (test) => {
  const { pod: dir, configMaps, events, updated, make } = setUp(test);
  configMaps.set('cm', { data: { a: '1' } });
  const volumes: V1Volume[] = [
    { name: 'config', configMap: { name: 'cm' } },
    { name: 'maybe', configMap: { name: 'cm', optional: true } },
    { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  ];
  const read = (path: string) => readFile(join(dir, 'volumes', path), 'utf8').catch(() => 'none');
  const made = make();
  await made.ensureMounted(podWith(volumes, { labels: { k: 'old' } }), never);
  configMaps.set('cm', { data: { a: '2' } });
  made.update(podWith(volumes, { labels: { k: 'new' } }));
  await eventually(() => updated.length === 3);
  test.equal(await read('kubernetes.io~configmap/config/a'), '2');
  test.equal(await read('kubernetes.io~downward-api/down/labels'), 'k="new"');
  configMaps.delete('cm');
  await made.ensureMounted(podWith(volumes, { labels: { k: 'new' } }), never);
  test.equal(await read('kubernetes.io~configmap/config/a'), '2');
  test.equal(await read('kubernetes.io~configmap/maybe/a'), 'none');
  test.same(events, ['Warning FailedMount MountVolume.SetUp failed for volume "config" : configmap "cm" not found']);
  const restarted = make();
  await restarted.ensureMounted(podWith(volumes), never);
  test.equal(await read('kubernetes.io~configmap/config/a'), '2', 'also across a restart of the kubelet');
});

t.test('projected volumes merge their sources; tokens are renewed by themselves', async (test) => {
  const { rootDir, clock, configMaps, make } = setUp(test);
  configMaps.set('cm', { data: { 'ca.crt': 'CA' } });
  const volume: V1Volume = {
    name: 'all',
    projected: {
      defaultMode: 0o644,
      sources: [
        { configMap: { name: 'cm' } },
        { serviceAccountToken: { path: 'token', expirationSeconds: 1000 } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
  const user = process.getuid?.() ?? 0;
  const pod: V1Pod = {
    ...podWith([volume]),
    spec: { ...podWith([volume]).spec, containers: [container([volume])], securityContext: { runAsUser: user } },
  };
  const made = make();
  await made.ensureMounted(pod, never);
  const dir = join(rootDir, 'memory-volumes/uid-1/all');
  test.same((await readdir(dir)).filter((name) => !name.startsWith('..')).sort(), ['ca.crt', 'namespace', 'token']);
  test.equal((await stat(join(dir, 'token'))).mode & 0o777, 0o600);
  test.equal((await stat(join(dir, 'ca.crt'))).mode & 0o777, 0o644);
  test.equal(await readFile(join(dir, 'token'), 'utf8'), 'token-1');
  made.start();
  for (let i = 0; i < 81; i += 1) await clock.advanceAndRun(10_000);
  await eventually(async () => (await readFile(join(dir, 'token'), 'utf8')) === 'token-2');
  await made.stop();
});

t.test('files belong to the group before they can be seen', async (test) => {
  const { pod: dir, configMaps, make } = setUp(test);
  configMaps.set('cm', { data: { a: '1' } });
  const volumes: V1Volume[] = [
    { name: 'config', configMap: { name: 'cm', defaultMode: 0o400 } },
    { name: 'scratch', emptyDir: {} },
  ];
  const fsGroup = process.getgid?.() ?? 0;
  const pod: V1Pod = {
    ...podWith(volumes),
    spec: { containers: [container(volumes)], volumes, securityContext: { fsGroup } },
  };
  await make().ensureMounted(pod, never);
  const mode = async (path: string) => (await stat(join(dir, 'volumes', path))).mode & 0o7777;
  test.equal(await mode('kubernetes.io~configmap/config/a'), 0o440);
  test.equal(await mode('kubernetes.io~configmap/config/..data'), 0o2755);
  test.equal(await mode('kubernetes.io~empty-dir/scratch'), 0o2777);
});

t.test('removes a pod it never knew; never what is still mounted', async (test) => {
  const { pod: dir, rootDir, mounter, secrets, make } = setUp(test);
  secrets.set('s', { data: { a: '' } });
  const volumes: V1Volume[] = [
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
    { name: 'scratch', emptyDir: {} },
  ];
  const before = make();
  await before.ensureMounted(podWith(volumes), never);
  const sub = { name: 'c', volumeMounts: [{ name: 'scratch', mountPath: '/s', subPath: 'sub' }] };
  await before.containerBinds(podWith(volumes), sub, new Map());
  const order: string[] = [];
  const { unmount } = mounter;
  mounter.unmount = async (path) => {
    order.push(path.slice(dir.length));
    throw new Error('target is busy');
  };
  const after = make();
  test.same(await after.podsOnDisk(), ['uid-1']);
  test.equal(await after.tearDown('uid-1'), false);
  test.ok((await lstat(join(dir, 'volumes/kubernetes.io~empty-dir/scratch/sub'))).isDirectory());
  test.same(order, ['/volume-subpaths/scratch/c/0', '/volumes/kubernetes.io~empty-dir/memory']);
  mounter.unmount = unmount;
  test.equal(await after.tearDown('uid-1'), true);
  test.same(await after.podsOnDisk(), []);
  test.same(await readdir(join(rootDir, 'memory-volumes')), []);
  test.equal(await after.tearDown('uid-1'), true);
  await test.rejects(after.tearDown('../etc'), { code: 'InvalidConfig' });
});

t.test('after a restart of the machine secrets are written again', async (test) => {
  const { rootDir, mounter, secrets, make } = setUp(test);
  secrets.set('s', { data: { a: 'eA==' } });
  const pod = podWith([{ name: 'v', secret: { secretName: 's' } }]);
  await make().ensureMounted(pod, never);
  await rm(join(rootDir, 'memory-volumes/uid-1'), { recursive: true });
  mounter.table.length = 0;
  await make().ensureMounted(pod, never);
  test.equal(await readFile(join(rootDir, 'pods/uid-1/volumes/kubernetes.io~secret/v/a'), 'utf8'), 'x');
  test.equal(mounter.table.length, 1);
});

t.test('a container may have changed the folder since: it stays as it is', async (test) => {
  const { pod: dir, make } = setUp(test);
  const pod = podWith([{ name: 'v', emptyDir: {} }]);
  await make().ensureMounted(pod, never);
  const path = join(dir, 'volumes/kubernetes.io~empty-dir/v');
  await writeFile(join(path, 'kept'), '');
  await mkdir(join(path, 'x'));
  await make().ensureMounted(pod, never);
  test.same((await readdir(path)).sort(), ['kept', 'x']);
});
