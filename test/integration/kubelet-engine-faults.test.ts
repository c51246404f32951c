import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { eventuallySee } from '../e2e/support/eventually.js';
import { faultScale } from '../e2e/support/fault-scale.js';
import { outputOf } from '../e2e/support/program.js';
import { mountSmallDisk } from '../e2e/support/small-disk.js';
import { type OwnDockerd, startOwnDockerd } from './engine-own-dockerd.js';
import {
  type ForegroundKubelet,
  importShell,
  shellImage,
  startForegroundKubelet,
  staticPod,
  waiting,
} from './foreground-kubelet.js';

t.setTimeout(1_100_000);

/** The machine's own engine may need a runtime of its own to run containers at all. */
async function engineConfig(): Promise<string> {
  const text = await readFile('/etc/docker/daemon.json', 'utf8').catch(() => '{}');
  const { 'default-runtime': runtime, runtimes } = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify({ 'default-runtime': runtime, runtimes });
}

interface Scene {
  readonly dockerd: OwnDockerd;
  readonly kubelet: ForegroundKubelet;
  /** Where `once` writes a line each time that it runs. */
  readonly runs: () => Promise<string>;
}

/** A pod that goes on, one with an init container, and one that ends. */
const lasting = ['plain', 'prepared'];

async function setScene(t: Test, dockerdArgs: readonly string[] = []): Promise<Scene> {
  const dockerd = await startOwnDockerd(t, dockerdArgs, await engineConfig());
  await importShell(t, dockerd.host);
  const kubelet = await startForegroundKubelet(t, { host: dockerd.host });
  const shared = await mkdtemp(join(tmpdir(), 'hyperup-runs-'));
  t.teardown(() => rm(shared, { recursive: true, force: true }));
  const main = {
    name: 'main',
    image: shellImage,
    imagePullPolicy: 'Never',
    command: ['sh', '-c', 'test -e /d/ready && exec sh -c "$0"', waiting],
  };
  const volumeMounts = [{ name: 'd', mountPath: '/d' }];
  const prepared = {
    initContainers: [{ ...main, name: 'init', command: ['touch', '/d/ready'], volumeMounts }],
    containers: [{ ...main, volumeMounts }],
    volumes: [{ name: 'd', emptyDir: {} }],
  };
  const once = {
    restartPolicy: 'Never',
    containers: [{ ...main, command: ['sh', '-c', 'echo ran >>/d/once'], volumeMounts }],
    volumes: [{ name: 'd', hostPath: { path: shared } }],
  };
  await kubelet.put('plain.json', staticPod('plain'));
  await kubelet.put('prepared.json', staticPod('prepared', '', prepared));
  await kubelet.put('once.json', staticPod('once', '', once));
  await kubelet.running(lasting);
  await phaseOf(kubelet, 'once', 'Succeeded');
  return { dockerd, kubelet, runs: () => readFile(join(shared, 'once'), 'utf8') };
}

async function phaseOf(kubelet: ForegroundKubelet, name: string, wanted: string, timeoutMs = 30_000): Promise<void> {
  await eventuallySee(
    `${name} to be ${wanted}`,
    async () => (await kubelet.pods()).get(name)?.status?.phase,
    (phase) => phase === wanted,
    timeoutMs,
  );
}

async function restartsOf(kubelet: ForegroundKubelet, name: string): Promise<number | undefined> {
  return (await kubelet.pods()).get(name)?.status?.containerStatuses?.[0]?.restartCount;
}

for (const manner of ['stop', 'kill'] as const) {
  const title = manner === 'stop' ? 'an engine that is restarted' : 'an engine that is killed and started again';
  t.test(title, { timeout: 300_000 }, async (t) => {
    const { dockerd, kubelet, runs } = await setScene(t);
    const before = await kubelet.running(lasting);
    await dockerd[manner]();
    await dockerd.start();
    // Without live restore no container outlives the engine.
    const after = await eventuallySee(
      'new containers',
      () => kubelet.running(lasting),
      (now) => lasting.every((name) => now[name] !== before[name]),
    );
    t.same(Object.keys(after).sort(), lasting, 'every pod that goes on runs again, once');
    for (const name of lasting) {
      await eventuallySee(
        `the restart of ${name} to be counted`,
        () => restartsOf(kubelet, name),
        // An engine that is told to end goes on for a moment, in which a container may come back, and end once more.
        (count) => count === 1 || count === 2,
      );
    }
    await phaseOf(kubelet, 'once', 'Succeeded');
    t.equal(await runs(), 'ran\n', 'what had ended was not run again');
    t.ok(kubelet.isAlive(), 'the kubelet has outlived it');
  });
}

t.test('an engine that keeps containers running, restarted', { timeout: 300_000 }, async (t) => {
  const { dockerd, kubelet, runs } = await setScene(t, ['--live-restore']);
  const before = await kubelet.running(lasting);
  await dockerd.stop();
  await dockerd.start();
  await kubelet.put('later.json', staticPod('later'));
  await kubelet.running(['later']);
  t.same(await kubelet.running(lasting), before, 'the same containers');
  for (const name of lasting) t.equal(await restartsOf(kubelet, name), 0, `${name} was not restarted`);
  t.equal(await runs(), 'ran\n');
});

t.test('an engine that is away for a while', { timeout: 600_000 }, async (t) => {
  const { dockerd, kubelet } = await setScene(t);
  await dockerd.stop();
  const awayUntil = performance.now() + faultScale.engineAwayMs;
  await kubelet.put('new.json', staticPod('new'));
  while (performance.now() < awayUntil) {
    t.equal(await kubelet.healthz(), 200, 'the kubelet says that it is well');
    t.ok((await kubelet.pods()).has('plain'), 'and knows its pods');
    await sleep(2_000);
  }
  t.equal((await kubelet.pods()).get('plain')?.status?.phase, 'Running', 'it does not make up what it cannot see');
  const loggedAway = kubelet.lines.length;
  t.ok(loggedAway < 200, `it does not shout: ${loggedAway} lines`);
  await dockerd.start();
  await kubelet.running([...lasting, 'new']);
  t.pass('with the engine back all pods run, the one that came meanwhile too');
});

t.test('a kubelet that is stopped and started again', { timeout: 120_000 }, async (t) => {
  const { kubelet, runs } = await setScene(t);
  const before = await kubelet.running(lasting);
  t.equal((await kubelet.stop()).exitCode, 0, 'it ends well');
  t.same(await kubelet.running(lasting), before, 'its pods run on');
  kubelet.start();
  await kubelet.put('later.json', staticPod('later'));
  await kubelet.running(['later']);
  t.same(await kubelet.running(lasting), before, 'the next one leaves them as they are');
  t.equal(await runs(), 'ran\n', 'and runs nothing again');
  await rm(join(kubelet.manifests, 'plain.json'));
  await eventuallySee(
    'a pod whose manifest has gone to be gone',
    async () => (await kubelet.containers()).filter(({ pod }) => pod === 'plain'),
    (left) => left.length === 0,
  );
});

t.test('a full disk', { timeout: 300_000 }, async (t) => {
  const dockerd = await startOwnDockerd(t, [], await engineConfig());
  await importShell(t, dockerd.host);
  const disk = await mountSmallDisk(t, 8 * 1024 * 1024);
  const kubelet = await startForegroundKubelet(t, { host: dockerd.host, rootDir: disk.path });
  await kubelet.put('steady.json', staticPod('steady'));
  await kubelet.put('crasher.json', staticPod('crasher'));
  const before = await kubelet.running(['steady', 'crasher']);
  await disk.leave(0);
  await kubelet.put('late.json', staticPod('late'));
  await outputOf('docker', ['-H', dockerd.host, 'kill', before['crasher'] ?? '']);
  await eventuallySee(
    'the log to say what is full',
    async () => kubelet.lines.filter((line) => /ENOSPC|no space left/i.test(line)).length,
    (count) => count > 0,
    30_000,
  ).catch((error: unknown) => t.fail('the log says what is full', { error }));
  await sleep(5_000);
  const now = await kubelet.containers();
  t.ok(
    now.some(({ id, state }) => id === before['steady'] && state === 'running'),
    'what runs goes on',
  );
  t.notOk(now.some(({ pod, container, state }) => pod === 'late' && container === 'main' && state === 'running'));
  t.ok(kubelet.isAlive(), 'the kubelet too');
  t.equal((await kubelet.pods()).get('late')?.status?.phase, 'Pending', 'what is new waits');
  await disk.empty();
  const after = await kubelet.running(['steady', 'crasher', 'late'], 90_000);
  t.equal(after['steady'], before['steady'], 'with room again all pods run, and what ran was left alone');
  t.equal(await restartsOf(kubelet, 'steady'), 0);
  t.same(
    (await readdir(disk.path)).filter((name) => name.startsWith('.tmp')),
    [],
    'no half a file is left',
  );
});
