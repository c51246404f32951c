import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { cidrContains } from '../../src/base/cidr.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { connectEngine, connectRuntimeEngine } from '../../src/docker/connect.js';
import { runCommand } from '../../src/host/run-command.js';
import { createShellRunner } from '../../src/host/shell-runner.js';
import type { V1Container, V1Pod } from '../../src/kube/pod-objects.js';
import { createPodNetwork } from '../../src/kubelet/network/pod-network.js';
import { instanceFilter } from '../../src/kubelet/runtime/labels.js';
import { createPodRuntime } from '../../src/kubelet/runtime/pod-runtime.js';
import type { KubeletIdentity, RuntimeSandbox } from '../../src/kubelet/types.js';
import { busybox, importBusybox, removeCgroups } from './runtime-scene.js';

/** Pods on the engine's bridge that the engine has not connected: real sandboxes, the host's own ip(8), real packets. */
const image = `hyperup-test.invalid/kubelet-network-${process.pid}:1`;
const folder = await mkdtemp(join(tmpdir(), 'hyperup-kubelet-network-'));
const cgroupRoot = `/hyperup-test-network-${process.pid}`;
const builder = await connectEngine({ env: process.env });
const engine = await connectRuntimeEngine({ env: process.env });
const applets = ['sh', 'wget', 'httpd', 'cat', 'ip', 'usleep'];
const imageId = await importBusybox(builder, image, applets, [
  { name: 'www/index.html', content: 'hello\n', mode: 0o644 },
]);
const info = await engine.info();
const bridge = await engine.bridgeNetwork();
if (!bridge) throw new Error('this engine has no default network');
const shells = createShellRunner({ fallback: runCommand });
const names: string[] = [];

const identityOf = (name: string): KubeletIdentity => ({
  nodeName: name,
  nodeIps: ['127.0.0.1'],
  instance: `${name}-${process.pid}`,
  rootDir: join(folder, name),
  podLogDir: join(folder, name, 'log'),
  hostRoot: '',
});

/** One kubelet's runtime; the same name takes over what the former had. */
function makeRuntime(name: string) {
  if (!names.includes(name)) names.push(name);
  const common = { engine, info, clock: systemClock, logger: silentLogger };
  return createPodRuntime({
    ...common,
    network: createPodNetwork({ ...common, enabled: true, hostRoot: '', run: shells.run }),
    identity: identityOf(name),
    pauseImage: image,
    ...{ cgroupsPerQos: true, cgroupRoot, podPidsLimit: 500, containerLogMaxSize: '10Mi', containerLogMaxFiles: 5 },
    resolvConfFor: async () => 'nameserver 10.96.0.10\n',
    ...{ nodeHostname: 'node', clusterDomain: 'cluster.local', runtimeHandlerOf: async () => undefined },
    ...{ nodeMemoryBytes: info.memoryBytes, seccompDefault: false },
  });
}

t.teardown(async () => {
  shells.close();
  for (const name of names) {
    for (const { id } of await engine.listContainers(instanceFilter(identityOf(name))))
      await engine.removeContainer(id);
  }
  await builder.removeImage(image, { force: true });
  engine.close();
  builder.close();
  await rm(folder, { recursive: true, force: true });
  await removeCgroups(cgroupRoot);
});

const web: V1Container = {
  name: 'web',
  image,
  command: [busybox, 'sh', '-c', 'httpd -p 8080 -h /www; trap "exit 0" TERM; while :; do usleep 50000; done'],
};
const podOf = (uid: string, container = web): V1Pod => ({
  metadata: { name: uid, namespace: 'default', uid: `${uid}-${process.pid}` },
  spec: { terminationGracePeriodSeconds: 1, containers: [container] },
});
type Runtime = ReturnType<typeof makeRuntime>;
const start = (runtime: Runtime, pod: V1Pod, sandbox: RuntimeSandbox) =>
  runtime.startContainer({
    ...{ pod, container: pod.spec?.containers[0] ?? web, kind: 'app', sandbox, attempt: 0, imageId },
    environment: new Map(),
    binds: [],
    devices: [],
  });
const ours = async () => (await readdir('/sys/class/net')).filter((name) => name.startsWith('hup'));
const run = async (runtime: Runtime, id: string, script: string) =>
  (await runtime.execSync(id, [busybox, 'sh', '-c', script], { limitBytes: 4000, timeoutMs: 20_000 })).output;

t.test('pods that the kubelet connects', async (t) => {
  const runtime = makeRuntime('one');
  const before = await ours();
  const [a, b] = [podOf('a'), podOf('b')];
  const [sandboxA, sandboxB] = await Promise.all([runtime.runPodSandbox(a, 0), runtime.runPodSandbox(b, 0)]);
  const [idA] = await Promise.all([start(runtime, a, sandboxA), start(runtime, b, sandboxB)]);
  const [ipA = '', ipB = ''] = [sandboxA.ips[0], sandboxB.ips[0]];

  await t.test("have each an address of the bridge's, which the engine knows nothing of", async (t) => {
    t.ok(cidrContains(bridge.subnet, ipA) && cidrContains(bridge.subnet, ipB));
    t.not(ipA, ipB);
    t.match(await engine.inspectContainer(sandboxA.id), { networkMode: 'none', ips: [] });
    t.equal((await ours()).length, before.length + 2);
  });
  await t.test('reach each other, themselves, and the machine', async (t) => {
    // Without -T, of which the wget of Debian's busybox-static dies.
    const get = (address: string) => run(runtime, idA, `wget -q -O - http://${address}:8080/`);
    t.equal(await get(ipB), 'hello\n');
    t.equal(await get(ipA), 'hello\n');
    t.equal(await get('127.0.0.1'), 'hello\n');
    t.match(await run(runtime, idA, 'ip route'), /^default via [\d.]+ dev eth0/);
    const answer = await fetch(`http://${ipB}:8080/`);
    t.equal(await answer.text(), 'hello\n', 'the machine reaches them');
  });
  await t.test('have no IPv6, as on the engine', async (t) => {
    t.notMatch(await run(runtime, idA, 'ip address'), /inet6/);
  });
  await t.test('have the resolver file that they were given', async (t) => {
    t.equal(await run(runtime, idA, 'cat /etc/resolv.conf'), 'nameserver 10.96.0.10\n');
  });
  await t.test('a kubelet that takes them over knows their addresses', async (t) => {
    const status = await makeRuntime('one').podStatus(a.metadata?.uid ?? '');
    t.match(status.sandboxes, [{ id: sandboxA.id, state: 'ready', ips: [ipA], resolvConfPath: /etc-resolv\.conf$/ }]);
  });
  await t.test("a bridge's port sends a pod's packets back to it", async (t) => {
    const own = await Promise.all(
      (await ours()).map((name) => readFile(`/sys/class/net/${name}/brport/hairpin_mode`, 'utf8')),
    );
    t.ok(own.every((mode) => mode === '1\n'));
  });
  await t.test('leave nothing when they go', async (t) => {
    for (const pod of [a, b]) await runtime.removePod(pod.metadata?.uid ?? '');
    // The kernel takes a network namespace down when it has time.
    for (let tries = 0; tries < 100 && (await ours()).length > before.length; tries += 1) await systemClock.sleep(50);
    t.same(await ours(), before);
  });
});

t.test('two kubelets on one engine never have the same address', async (t) => {
  const runtimes = [makeRuntime('two'), makeRuntime('three')];
  const made = await Promise.all(
    runtimes.flatMap((runtime, index) =>
      ['x', 'y', 'z'].map((name) => runtime.runPodSandbox(podOf(`${name}${index}`), 0)),
    ),
  );
  t.equal(new Set(made.flatMap(({ ips }) => ips)).size, 6);
});

t.test('a pod with a host port is connected by the engine', async (t) => {
  const runtime = makeRuntime('one');
  const published = podOf('published', {
    ...web,
    ports: [{ containerPort: 8080, hostPort: 18_080, hostIP: '127.0.0.1' }],
  });
  const sandbox = await runtime.runPodSandbox(published, 0);
  const id = await start(runtime, published, sandbox);
  t.match(await engine.inspectContainer(sandbox.id), { networkMode: 'default', ips: sandbox.ips });
  t.equal(await run(runtime, id, 'cat /etc/resolv.conf'), 'nameserver 10.96.0.10\n');
  const answer = await fetch('http://127.0.0.1:18080/');
  t.equal(await answer.text(), 'hello\n');
  await runtime.removePod(published.metadata?.uid ?? '');
});
