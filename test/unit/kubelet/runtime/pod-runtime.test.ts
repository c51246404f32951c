import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { RuntimeInfo } from '../../../../src/docker/runtime-types.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createInspections } from '../../../../src/kubelet/runtime/inspections.js';
import { createPodRuntime } from '../../../../src/kubelet/runtime/pod-runtime.js';
import type { PodNetwork, RuntimeSandbox } from '../../../../src/kubelet/types.js';
import { type FakeRuntimeEngine, makeFakeRuntimeEngine } from '../../../fakes/fake-runtime-engine.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const info: RuntimeInfo = {
  ...{ version: '20.10.24', cgroupDriver: 'cgroupfs', cgroupVersion: 1, rootDir: '/d', logDriver: 'json-file' },
  ...{
    operatingSystem: '',
    kernelVersion: '',
    memoryBytes: 1e9,
    cpus: 2,
    runtimes: ['runc', 'kata'],
    defaultRuntime: 'runc',
  },
};
const pod: V1Pod = {
  metadata: { name: 'web', namespace: 'default', uid: 'u-1' },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
};

function setUp(t: Test, network?: PodNetwork) {
  const clock = makeManualClock(1_600_000_000_000);
  const engine = makeFakeRuntimeEngine({ clock });
  engine.addImage('pause:1');
  const imageId = engine.addImage('web:1', { digests: ['web@sha256:d'] });
  const folder = t.testdir({});
  const killed: number[] = [];
  const texts = { resolvConf: '', handler: undefined as string | undefined };
  const runtime = createPodRuntime({
    ...{ engine, info, clock, logger: silentLogger, pauseImage: 'pause:1', cgroupsPerQos: true, cgroupRoot: '/' },
    identity: {
      ...{ nodeName: 'node', nodeIps: [], instance: 'one', rootDir: join(folder, 'kubelet') },
      ...{ podLogDir: join(folder, 'log/pods'), hostRoot: join(folder, 'host') },
    },
    ...{ podPidsLimit: -1, containerLogMaxSize: '10Mi', containerLogMaxFiles: 5, nodeHostname: 'node' },
    resolvConfFor: async () => texts.resolvConf,
    network,
    runtimeHandlerOf: async () => texts.handler,
    ...{ clusterDomain: 'cluster.local', nodeMemoryBytes: 1e9, seccompDefault: false },
    killProcess: (pid) => void killed.push(pid),
  });
  const start = (sandbox: RuntimeSandbox, attempt = 0) =>
    runtime.startContainer({
      ...{ pod, container: { name: 'main', image: 'web:1' }, kind: 'app', sandbox, attempt, imageId },
      environment: new Map(),
      binds: [],
      devices: [],
    });
  return { clock, engine, runtime, folder, texts, killed, start };
}

const countOf = (engine: FakeRuntimeEngine, call: string) => engine.calls.filter((each) => each.call === call).length;

t.test('a container on its way to its start costs lists no inspection', async (t) => {
  const asked: string[] = [];
  const engine = { ...makeFakeRuntimeEngine({ clock: makeManualClock() }) };
  engine.inspectContainer = async (id) => {
    asked.push(id);
    return undefined;
  };
  const inspections = createInspections(engine, makeManualClock());
  inspections.made('c');
  t.equal(await inspections.of({ id: 'c', state: 'created' }), undefined);
  t.strictSame(asked, []);
  await inspections.of({ id: 'c', state: 'running' });
  t.strictSame(asked, ['c'], 'the list shows that it runs');
  inspections.made('d');
  await inspections.fresh('d');
  await inspections.of({ id: 'd', state: 'created' });
  t.strictSame(asked.slice(1), ['d', 'd'], 'its start is over and it still has not run');
});

t.test('an idle pod costs one list and no inspection', async (t) => {
  const { engine, runtime, start } = setUp(t);
  const sandbox = await runtime.runPodSandbox(pod, 0);
  const id = await start(sandbox);
  t.equal(countOf(engine, 'inspectContainer'), 2, 'one each at the start');
  const before = engine.calls.length;
  const status = await runtime.podStatus('u-1');
  t.match(status, {
    sandboxes: [{ id: sandbox.id, state: 'ready' }],
    containers: [{ id, state: 'running', image: 'web:1', imageId: 'docker-pullable://web@sha256:d' }],
  });
  t.strictSame(
    engine.calls.slice(before).map(({ call }) => call),
    ['listContainers'],
  );
  engine.exit(id, 1, { oomKilled: true });
  t.match((await runtime.podStatus('u-1')).containers, [{ state: 'exited', reason: 'OOMKilled', exitCode: 1, pid: 0 }]);
  const inspections = countOf(engine, 'inspectContainer');
  t.equal(inspections, 3);
  await runtime.podStatus('u-1');
  t.equal(countOf(engine, 'inspectContainer'), inspections, 'an end is final');
  runtime.touch(id);
  await runtime.podStatus('u-1');
  t.equal(countOf(engine, 'inspectContainer'), inspections + 1, 'unless it was touched');
});

t.test('many pods at once share lists', async (t) => {
  const { engine, runtime } = setUp(t);
  await runtime.runPodSandbox(pod, 0);
  const uids = ['u-1', ...Array.from({ length: 30 }, (_, index) => `other-${index}`)];
  const before = countOf(engine, 'listContainers');
  const [first, ...others] = await Promise.all(uids.map((uid) => runtime.podStatus(uid)));
  t.equal(first?.sandboxes.length, 1);
  t.ok(others.every(({ sandboxes }) => sandboxes.length === 0));
  t.ok(countOf(engine, 'listContainers') - before <= 8, `${countOf(engine, 'listContainers') - before} lists`);
});

t.test('a sandbox', async (t) => {
  await t.test('pulls its image where it is absent', async (t) => {
    const { engine, runtime } = setUp(t);
    await engine.removeImage('pause:1');
    engine.arrangePull('pause:1', 'image');
    t.match(await runtime.runPodSandbox(pod, 0), { state: 'ready' });
  });
  await t.test('gets its resolv.conf in the same inode', async (t) => {
    const { engine, runtime, folder, texts } = setUp(t);
    texts.resolvConf = 'nameserver 1.2.3.4\n';
    engine.failNext('startContainer', new HyperupError('EngineFailed', 'port is already allocated'));
    await t.rejects(runtime.runPodSandbox(pod, 0), {
      reason: 'CreatePodSandboxError',
      message: 'failed to start sandbox container for pod "web": port is already allocated',
    });
    t.strictSame(engine.containers(), [], 'what failed is removed');
    const id = await new Promise<string>((resolve) => {
      const create = engine.createContainer;
      Object.assign(engine, {
        createContainer: async (...args: Parameters<typeof create>) => {
          const made = await create(...args);
          const path = join(folder, 'host/var/lib/docker/containers', made, 'resolv.conf');
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, 'nameserver 127.0.0.11 # a longer text than the new one\n');
          resolve(path);
          return made;
        },
      });
      runtime.runPodSandbox(pod, 1).catch((error: unknown) => t.fail(String(error)));
    });
    let text = '';
    for (let tries = 0; tries < 200 && text !== texts.resolvConf; tries += 1) text = await readFile(id, 'utf8');
    t.equal(text, texts.resolvConf);
  });
  await t.test('takes the runtime of its class, if the engine has it', async (t) => {
    const { engine, runtime, texts } = setUp(t);
    const classed: V1Pod = { ...pod, spec: { containers: [], runtimeClassName: 'x' } };
    texts.handler = 'kata';
    const { id } = await runtime.runPodSandbox(classed, 0);
    t.equal(engine.bodyOf(id)?.HostConfig.Runtime, 'kata');
    texts.handler = 'nope';
    await t.rejects(runtime.runPodSandbox(classed, 1), {
      reason: 'CreatePodSandboxError',
      message: /RuntimeHandler "nope" not supported/,
    });
  });
});

t.test('a sandbox that the engine does not connect', async (t) => {
  const sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' };
  const attached = new Map<number, readonly string[]>();
  const failures: Error[] = [];
  const network: PodNetwork = {
    planFor: async ({ spec }) => (spec?.hostNetwork ? undefined : { sysctls }),
    attach: async (pid) => {
      const failure = failures.shift();
      if (failure) throw failure;
      attached.set(pid, ['172.17.255.254']);
      return ['172.17.255.254'];
    },
    addressesOf: async (pid) => attached.get(pid) ?? [],
  };
  const { engine, runtime, folder, texts, start } = setUp(t, network);
  texts.resolvConf = 'nameserver 1.2.3.4\n';
  const resolvConf = join(folder, 'kubelet/pods/u-1/etc-resolv.conf');
  const containers = pod.spec?.containers ?? [];
  const securityContext = { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] };
  const withSysctl: V1Pod = { ...pod, spec: { containers, securityContext } };
  const sandbox = await runtime.runPodSandbox(withSysctl, 0);
  await t.test('has no network of the engine, and the address that it was given', async (t) => {
    t.match(sandbox, { state: 'ready', ips: ['172.17.255.254'], hostNetwork: false, resolvConfPath: resolvConf });
    t.match(engine.bodyOf(sandbox.id), {
      NetworkDisabled: true,
      HostConfig: { NetworkMode: 'none', Sysctls: { ...sysctls, 'kernel.shm_rmid_forced': '1' } },
    });
    t.equal(countOf(engine, 'inspectContainer'), 1);
    t.match((await runtime.podStatus('u-1')).sandboxes, [{ ips: ['172.17.255.254'] }]);
    runtime.touch(sandbox.id);
    t.match((await runtime.podStatus('u-1')).sandboxes, [{ ips: ['172.17.255.254'] }], 'when it is inspected anew too');
  });
  await t.test('has its resolver file in the folder of the pod, mounted by each container', async (t) => {
    const mount = { Type: 'bind', Source: resolvConf, Target: '/etc/resolv.conf', ReadOnly: false };
    t.equal(await readFile(resolvConf, 'utf8'), texts.resolvConf);
    t.match(engine.bodyOf(await start(sandbox))?.HostConfig.Mounts, [mount]);
    await rm(resolvConf);
    const container = { name: 'main', image: 'web:1', securityContext: { readOnlyRootFilesystem: true } };
    const common = {
      pod,
      kind: 'app',
      sandbox,
      imageId: engine.addImage('web:1'),
      environment: new Map(),
      devices: [],
    };
    const next = await runtime.startContainer({ ...common, container, kind: 'app', attempt: 1, binds: [] });
    t.match(engine.bodyOf(next)?.HostConfig.Mounts, [{ ...mount, ReadOnly: true }]);
    t.equal(await readFile(resolvConf, 'utf8'), texts.resolvConf, 'it was made again');
    const own = {
      hostPath: '/mine',
      containerPath: 'etc/resolv.conf',
      readOnly: true,
      propagation: 'rprivate',
    } as const;
    const third = await runtime.startContainer({ ...common, container, kind: 'app', attempt: 2, binds: [own] });
    t.match(engine.bodyOf(third)?.HostConfig.Mounts, { length: 1, 0: { Source: '/mine' } }, 'one of its own stays');
  });
  await t.test('counts as lost where nothing leads to it', async (t) => {
    attached.clear();
    runtime.touch(sandbox.id);
    t.match((await runtime.podStatus('u-1')).sandboxes, [{ state: 'ready', ips: [] }]);
  });
  await t.test('goes again where it can not be connected', async (t) => {
    failures.push(new Error('no address'));
    await t.rejects(runtime.runPodSandbox(withSysctl, 1), {
      reason: 'CreatePodSandboxError',
      message: /failed to start sandbox container for pod "web": no address/,
    });
    t.equal(engine.containers().filter(({ name }) => name.includes('POD')).length, 1);
  });
  await t.test("is the engine's where the pod wants the engine's resolver file, or the host's network", async (t) => {
    texts.resolvConf = '';
    const { id } = await runtime.runPodSandbox(pod, 2);
    t.match(engine.bodyOf(id), { HostConfig: { NetworkMode: 'default' } });
    t.notOk(engine.bodyOf(id)?.NetworkDisabled);
    const onHost: V1Pod = { ...pod, spec: { containers, hostNetwork: true } };
    t.match(engine.bodyOf((await runtime.runPodSandbox(onHost, 3)).id), { HostConfig: { NetworkMode: 'host' } });
  });
});

t.test('a name that is taken', async (t) => {
  const { engine, runtime, start } = setUp(t);
  const sandbox = await runtime.runPodSandbox(pod, 0);
  const running = await start(sandbox);
  await t.rejects(start(sandbox), { reason: 'CreateContainerError', message: /already in use/ }, 'a running one stays');
  engine.exit(running, 0);
  const next = await start(sandbox);
  t.not(next, running);
  t.strictSame(
    (await runtime.podStatus('u-1')).containers.map(({ id }) => id),
    [next],
  );
});

t.test('removal takes everything, and again nothing', async (t) => {
  const { engine, runtime, folder, start } = setUp(t);
  const sandbox = await runtime.runPodSandbox(pod, 0);
  const id = await start(sandbox);
  t.strictSame(await readdir(join(folder, 'log/containers')), [`web_default_main-${id}.log`]);
  t.strictSame(await readdir(join(folder, 'log/pods/default_web_u-1/main')), ['0.log']);
  await mkdir(join(folder, 'host/sys/fs/cgroup/memory/kubepods/besteffort/podu-1/inner'), { recursive: true });
  const foreign = await start(sandbox, 1);
  // Somebody else's doing: its links are left behind.
  await engine.removeContainer(foreign);
  await runtime.removePod('u-1');
  await runtime.removePod('u-1');
  t.strictSame(engine.containers(), []);
  t.strictSame(await readdir(join(folder, 'log/containers')), []);
  t.strictSame(await readdir(join(folder, 'log/pods')), []);
  t.strictSame(await readdir(join(folder, 'host/sys/fs/cgroup/memory/kubepods/besteffort')), []);
  await t.rejects(runtime.removePod('../x'), { code: 'InvalidConfig' });
});

t.test('a command', async (t) => {
  const { clock, engine, runtime, killed, start } = setUp(t);
  const id = await start(await runtime.runPodSandbox(pod, 0));
  engine.arrangeExec(['say'], { exitCode: 2, stdout: '123456', stderr: '' });
  engine.arrangeExec(['hang'], {
    main: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(1))),
  });
  t.same(await runtime.execSync(id, ['say'], { limitBytes: 4 }), { exitCode: 2, output: '1234' });
  const late = runtime.execSync(id, ['hang'], { limitBytes: 4, timeoutMs: 1000 });
  const rejection = t.rejects(late, { code: 'Timeout', message: 'command "hang" timed out after 1s' });
  await clock.advanceAndRun(1000);
  await rejection;
  await clock.advanceAndRun(0);
  t.equal(killed.length, 1);
  const stop = new AbortController();
  const stopped = runtime.execSync(id, ['hang'], { limitBytes: 4, signal: stop.signal });
  stop.abort();
  await t.rejects(stopped, { code: 'Aborted' });
});
