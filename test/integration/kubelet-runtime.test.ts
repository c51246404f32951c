import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { isHyperupError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/logger.js';
import { connectEngine, connectRuntimeEngine } from '../../src/docker/connect.js';
import type { V1Container, V1Pod } from '../../src/kube/pod-objects.js';
import { createPleg } from '../../src/kubelet/pleg/pleg.js';
import { instanceFilter } from '../../src/kubelet/runtime/labels.js';
import { createPodRuntime } from '../../src/kubelet/runtime/pod-runtime.js';
import type { KubeletIdentity, RuntimePodStatus, RuntimeSandbox } from '../../src/kubelet/types.js';
import { busybox, importBusybox, removeCgroups } from './runtime-scene.js';

const instance = `test-runtime-${process.pid}`;
const image = `hyperup-test.invalid/kubelet-runtime-${process.pid}:1`;
const folder = await mkdtemp(join(tmpdir(), 'hyperup-kubelet-runtime-'));
const identity: KubeletIdentity = {
  nodeName: 'node',
  nodeIps: ['127.0.0.1'],
  instance,
  rootDir: folder,
  podLogDir: join(folder, 'log/pods'),
  hostRoot: '',
};
const uid = `11111111-2222-3333-4444-${String(process.pid).padStart(12, '0')}`;
const cgroupRoot = `/hyperup-test-${process.pid}`;

const applets = ['sh', 'cat', 'hostname', 'usleep', 'id', 'yes', 'head', 'touch', 'sleep', 'ps', 'grep'];

const builder = await connectEngine({ env: process.env });
const engine = await connectRuntimeEngine({ env: process.env });
const imageId = await importBusybox(builder, image, applets, [
  { name: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\n', mode: 0o644 },
]);
const info = await engine.info();
const runtime = createPodRuntime({
  engine,
  info,
  identity,
  // Its command waits for SIGTERM, which is all that a pause container does.
  pauseImage: image,
  clock: systemClock,
  logger: silentLogger,
  cgroupsPerQos: true,
  cgroupRoot,
  podPidsLimit: 500,
  containerLogMaxSize: '10Mi',
  containerLogMaxFiles: 5,
  resolvConfFor: async () => 'nameserver 10.96.0.10\n',
  nodeHostname: hostname(),
  clusterDomain: 'cluster.local',
  runtimeHandlerOf: async () => undefined,
  nodeMemoryBytes: info.memoryBytes,
  seccompDefault: false,
});

t.teardown(async () => {
  for (const { id } of await engine.listContainers(instanceFilter(identity))) await engine.removeContainer(id);
  await builder.removeImage(image, { force: true });
  engine.close();
  builder.close();
  await rm(folder, { recursive: true, force: true });
  await removeCgroups(cgroupRoot);
});

const shell = (script: string): Pick<V1Container, 'command' | 'args'> => ({
  command: [busybox, 'sh', '-c'],
  args: [script],
});
const pod: V1Pod = {
  metadata: { name: 'web', namespace: 'default', uid, labels: { app: 'web' } },
  spec: {
    hostname: 'webhost',
    terminationGracePeriodSeconds: 5,
    containers: [
      {
        name: 'main',
        image,
        ...shell(
          'echo "$(GREETING) from $$(hostname)"; cat /etc/resolv.conf /data/file; trap "exit 3" TERM; while :; do usleep 50000; done',
        ),
        resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
        securityContext: { runAsUser: 1000, allowPrivilegeEscalation: false },
      },
      { name: 'wrong', image, command: ['/bin/there-is-no-such-program'] },
    ],
  },
};
const [main, wrong] = pod.spec?.containers ?? [];
if (!main || !wrong) throw new Error('the pod has no containers');

/** Of the port that the process's interface has on the engine's bridge. */
async function hairpinMode(pid: number): Promise<string | undefined> {
  const iflink = await readFile(`/proc/${pid}/root/sys/class/net/eth0/iflink`, 'utf8');
  for (const name of await readdir('/sys/class/net')) {
    if ((await readFile(`/sys/class/net/${name}/ifindex`, 'utf8')) !== iflink) continue;
    return await readFile(`/sys/class/net/${name}/brport/hairpin_mode`, 'utf8');
  }
  return undefined;
}

t.test('a pod from its sandbox to its removal', async (t) => {
  const changes: RuntimePodStatus[] = [];
  const pleg = createPleg({
    runtime,
    events: (signal) => engine.containerEvents(instanceFilter(identity), signal),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
    onChange: (_uid, status) => changes.push(status),
  });
  t.teardown(() => pleg.stop());
  await pleg.start();
  let sandbox: RuntimeSandbox | undefined;
  await t.test('a sandbox runs and has an address', async (t) => {
    sandbox = await runtime.runPodSandbox(pod, 0);
    t.match(sandbox, { state: 'ready', podUid: uid, attempt: 0, hostNetwork: false, ips: [/^\d+\.\d+\.\d+\.\d+$/] });
    t.ok(sandbox.pid > 0);
    t.equal(await hairpinMode(sandbox.pid), '1\n', 'it reaches itself through its Services');
  });
  if (!sandbox) throw new Error('no sandbox');
  const request = { pod, kind: 'app', sandbox, imageId } as const;
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/file'), 'bound\n');
  const id = await runtime.startContainer({
    ...request,
    container: main,
    attempt: 0,
    environment: new Map([['GREETING', 'hello']]),
    binds: [{ hostPath: join(folder, 'data'), containerPath: '/data', readOnly: true, propagation: 'rprivate' }],
    devices: [],
  });
  await t.test('its status tells what runs', async (t) => {
    const status = await runtime.podStatus(uid);
    t.match(status, { uid, name: 'web', namespace: 'default' });
    t.match(status.containers, [
      { id, name: 'main', state: 'running', attempt: 0, image, exitCode: 0, hash: /^[0-9a-f]{16}$/, pid: Number },
    ]);
    t.strictSame(
      await runtime.listPods().then((pods) => pods.map(({ digest: _digest, status: _status, ...rest }) => rest)),
      [{ uid, name: 'web', namespace: 'default', running: true, terminationGraceSeconds: 5 }],
    );
  });
  await t.test('commands run in it', async (t) => {
    const answer = await runtime.execSync(id, [busybox, 'sh', '-c', 'id -u; hostname; cat /etc/resolv.conf; exit 4'], {
      limitBytes: 1000,
    });
    t.same(answer, { exitCode: 4, output: '1000\nwebhost\nnameserver 10.96.0.10\n' });
    const cut = await runtime.execSync(id, [busybox, 'sh', '-c', 'yes | head -n 100000'], { limitBytes: 5 });
    t.same(cut, { exitCode: 0, output: 'y\ny\ny' });
    const readOnly = await runtime.execSync(id, [busybox, 'touch', '/data/new'], { limitBytes: 1000 });
    t.not(readOnly.exitCode, 0, 'the bind is read-only');
    const grep = [busybox, 'grep', '-E', 'NoNewPrivs|Seccomp:', '/proc/self/status'];
    const flags = await runtime.execSync(id, grep, { limitBytes: 1000 });
    t.match(flags.output, /NoNewPrivs:\s+1/);
    t.match(flags.output, /Seccomp:\s+0/);
  });
  await t.test('a command that takes too long is ended', async (t) => {
    const command = [busybox, 'sleep', '4711'];
    await t.rejects(runtime.execSync(id, command, { limitBytes: 10, timeoutMs: 300 }), { code: 'Timeout' });
    let left = '4711';
    for (let tries = 0; tries < 50 && left.includes('4711'); tries += 1) {
      await systemClock.sleep(20);
      left = (await runtime.execSync(id, [busybox, 'ps'], { limitBytes: 10_000 })).output;
    }
    t.notMatch(left, '4711');
  });
  await t.test('its log can be found by links', async (t) => {
    const link = join(identity.podLogDir, `default_web_${uid}`, 'main/0.log');
    const status = await runtime.podStatus(uid);
    t.equal(await readlink(link), status.containers[0]?.logPath);
    t.match(await readFile(link, 'utf8'), /hello from webhost.*nameserver 10\.96\.0\.10.*bound/s);
    t.strictSame(await readdir(join(folder, 'log/containers')), [`web_default_main-${id}.log`]);
  });
  await t.test("its resources are the engine's and can change", async (t) => {
    const limit = async () => {
      const files = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max';
      const command = [busybox, 'sh', '-c', `cat ${files} 2>/dev/null; true`];
      return (await runtime.execSync(id, command, { limitBytes: 1000 })).output.trim();
    };
    t.equal(await limit(), String(64 * 2 ** 20));
    const grown = { ...main, resources: { limits: { cpu: '200m', memory: '80Mi' } } };
    await runtime.updateResources(id, { ...pod, spec: { ...pod.spec, containers: [grown, wrong] } }, grown);
    t.equal(await limit(), String(80 * 2 ** 20));
  });
  await t.test(
    'the pod has a cgroup with its limits',
    { skip: info.cgroupVersion !== 1 && 'cgroups are of version 2' },
    async (t) => {
      const pids = join('/sys/fs/cgroup/pids', cgroupRoot, 'kubepods/burstable', `pod${uid}`, 'pids.max');
      t.equal((await readFile(pids, 'utf8')).trim(), '500');
    },
  );
  await t.test('what can not start says so and keeps its exit code', async (t) => {
    const wanted = { ...request, container: wrong, attempt: 0, environment: new Map(), binds: [], devices: [] };
    await t.rejects(runtime.startContainer(wanted), { reason: 'RunContainerError', message: /no such file/ });
    const status = await runtime.podStatus(uid);
    t.match(
      status.containers.find(({ name }) => name === 'wrong'),
      {
        state: 'exited',
        reason: 'ContainerCannotRun',
        exitCode: 127,
      },
    );
    await t.rejects(
      runtime.startContainer({ ...wanted, container: { ...wrong, securityContext: { runAsNonRoot: true } } }),
      { reason: 'CreateContainerConfigError', message: /image will run as root/ },
    );
    const missing = { hostPath: join(folder, 'absent'), containerPath: '/x', readOnly: false, propagation: 'rprivate' };
    await t.rejects(
      runtime.startContainer({ ...wanted, attempt: 1, binds: [{ ...missing, propagation: 'rprivate' }] }),
      { reason: 'CreateContainerError', message: /bind source path does not exist/ },
    );
  });
  await t.test('a name that a dead container has is won back', async (t) => {
    const dead = (await runtime.podStatus(uid)).containers.find(({ name }) => name === 'wrong');
    const next = await runtime.startContainer({
      ...request,
      container: { ...wrong, ...shell('exit 0') },
      attempt: 0,
      environment: new Map(),
      binds: [],
      devices: [],
    });
    t.not(next, dead?.id);
    t.equal(await engine.inspectContainer(dead?.id ?? ''), undefined);
  });
  await t.test('the PLEG tells of an end without being asked', async (t) => {
    await runtime.stopContainer(id, 5);
    const mainOf = () => pleg.status(uid)?.containers.find(({ name }) => name === 'main');
    for (let tries = 0; tries < 40 && mainOf()?.state !== 'exited'; tries += 1) await systemClock.sleep(10);
    t.match(mainOf(), { state: 'exited', reason: 'Error', exitCode: 3 });
    t.ok(changes.length > 1);
  });
  await t.test('nothing is left after its removal', async (t) => {
    await runtime.stopPodSandbox(sandbox?.id ?? '');
    t.match((await runtime.podStatus(uid)).sandboxes, [{ state: 'notReady', ips: [] }]);
    await runtime.removePod(uid);
    await runtime.removePod(uid);
    t.strictSame(await engine.listContainers(instanceFilter(identity)), []);
    t.strictSame(await readdir(identity.podLogDir), []);
    t.strictSame(await readdir(join(folder, 'log/containers')), []);
    if (info.cgroupVersion === 1) {
      const left = await readdir(`/sys/fs/cgroup/memory${cgroupRoot}/kubepods/burstable`);
      t.strictSame(
        left.filter((name) => name.startsWith('pod')),
        [],
      );
    }
    t.notOk(await runtime.execSync(id, ['x'], { limitBytes: 1 }).catch((error: unknown) => !isHyperupError(error)));
  });
});

t.test("a pod on the host's network", async (t) => {
  const own = `${uid.slice(0, -1)}x`;
  const onHost: V1Pod = {
    metadata: { name: 'agent', namespace: 'kube-system', uid: own },
    spec: { hostNetwork: true, containers: [{ name: 'main', image, ports: [{ containerPort: 80, hostPort: 80 }] }] },
  };
  const sandbox = await runtime.runPodSandbox(onHost, 0);
  t.match(sandbox, { state: 'ready', hostNetwork: true, ips: [] });
  const [container] = onHost.spec?.containers ?? [];
  if (!container) throw new Error('the pod has no container');
  const id = await runtime.startContainer({
    ...{ pod: onHost, container, kind: 'app', sandbox, attempt: 0, imageId },
    environment: new Map(),
    binds: [],
    devices: [],
  });
  const answer = await runtime.execSync(id, [busybox, 'hostname'], { limitBytes: 100 });
  t.equal(answer.output.trim(), hostname());
  await runtime.removePod(own);
  t.strictSame((await runtime.podStatus(own)).containers, []);
});
