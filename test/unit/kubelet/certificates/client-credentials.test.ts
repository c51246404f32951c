import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { KubeClientOptions } from '../../../../src/kube/kube-client-types.js';
import { dumpKubeconfigYaml } from '../../../../src/kube/kubeconfig-yaml.js';
import { keepClientCredentials } from '../../../../src/kubelet/certificates/client-credentials.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeSigner } from './signing-scene.js';

const hourMs = 3_600_000;

/** A kubeconfig with its credentials inside. */
function kubeconfig(user: Readonly<Record<string, string>>): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return dumpKubeconfigYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: 'https://192.0.2.7:6443', 'certificate-authority-data': base64('CA') } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

async function makeScene(t: { teardown(undo: () => Promise<void>): void }, rotate: boolean) {
  const dir = await mkdtemp(join(tmpdir(), 'credentials-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const clock = makeManualClock(Date.parse('2021-01-13T13:00:00Z'));
  const signer = await makeSigner(() => clock.now(), 10 * hourMs);
  const controller = new AbortController();
  const connected: KubeClientOptions[] = [];
  const used: KubeClientOptions[] = [];
  const paths = {
    kubeconfig: join(dir, 'etc', 'kubelet.conf'),
    bootstrap: join(dir, 'bootstrap.conf'),
    certs: join(dir, 'pki'),
  };
  await mkdir(join(dir, 'etc'));
  const issued = await signer.issue('system:node:node-1', clock.now() - hourMs, clock.now() + 9 * hourMs);
  return {
    clock,
    signer,
    controller,
    connected,
    used,
    paths,
    issued,
    current: join(paths.certs, 'kubelet-client-current.pem'),
    embedded: kubeconfig({
      'client-certificate-data': Buffer.from(issued.certPem).toString('base64'),
      'client-key-data': Buffer.from(issued.keyPem).toString('base64'),
    }),
    keep: () =>
      keepClientCredentials({
        kubeconfigPath: paths.kubeconfig,
        bootstrapKubeconfigPath: paths.bootstrap,
        certDir: paths.certs,
        nodeName: 'node-1',
        rotate,
        clock,
        random: () => 0.5,
        logger: silentLogger,
        signal: controller.signal,
        onClient: () => {
          const last = connected.at(-1);
          if (last) used.push(last);
        },
        connect: (options) => {
          connected.push(options);
          return signer.client;
        },
      }),
  };
}

t.test('a kubeconfig that is there is used, and no more than that where nothing is to be renewed', async (t) => {
  const scene = await makeScene(t, false);
  await writeFile(scene.paths.kubeconfig, kubeconfig({ token: 'abc' }));
  await scene.keep();
  t.match(scene.used, [{ server: 'https://192.0.2.7:6443', caPem: 'CA', token: 'abc' }]);
  t.equal(scene.signer.asked.length, 0);
});

t.test('a kubeconfig is waited for, even while it is half written', async (t) => {
  const scene = await makeScene(t, false);
  const keeping = scene.keep();
  await scene.clock.slept(1);
  await writeFile(scene.paths.kubeconfig, 'apiVersion: v1\n');
  scene.clock.advance(50);
  await scene.clock.slept(2);
  t.equal(scene.used.length, 0);
  await writeFile(scene.paths.kubeconfig, kubeconfig({ token: 'abc' }));
  scene.clock.advance(200);
  await keeping;
  t.equal(scene.used.length, 1);
});

t.test('bootstrap: a certificate, and a kubeconfig that names its file, for the owner alone', async (t) => {
  const scene = await makeScene(t, false);
  await writeFile(scene.paths.bootstrap, kubeconfig({ token: 'bootstrap' }));
  scene.signer.down = true;
  const keeping = scene.keep();
  await scene.clock.slept(1);
  scene.signer.down = false;
  scene.clock.advance(50);
  await keeping;
  t.match(
    scene.connected.map(({ token }) => token),
    ['bootstrap', 'bootstrap', undefined],
  );
  t.equal(scene.signer.closed, 2, 'clients for bootstrapping are closed');
  t.match(scene.signer.asked, [{ spec: { signerName: 'kubernetes.io/kube-apiserver-client-kubelet' } }]);
  for (const path of [scene.paths.kubeconfig, scene.current]) {
    t.equal((await stat(path)).mode & 0o777, 0o600, path);
  }
  const text = await readFile(scene.paths.kubeconfig, 'utf8');
  t.ok(text.includes(`client-certificate: ${scene.current}`));
  t.notOk(text.includes('bootstrap'));
  const [client] = scene.used;
  t.match(client, { server: 'https://192.0.2.7:6443', caPem: 'CA', clientCertPem: /BEGIN CERTIFICATE/ });
  t.doesNotThrow(
    () => createSecureContext({ cert: client?.clientCertPem, key: client?.clientKeyPem }),
    'one file is certificate and key',
  );
});

t.test('renewal of a certificate inside the kubeconfig', async (t) => {
  const scene = await makeScene(t, true);
  await writeFile(scene.paths.kubeconfig, scene.embedded);
  const keeping = scene.keep();
  // 80 % of its ten hours, one of which is over.
  for (let hours = 1; hours <= 7; hours += 1) {
    await scene.clock.slept(hours);
    t.equal(scene.signer.asked.length, 0);
    scene.clock.advance(hourMs);
  }
  await scene.clock.slept(8);
  t.equal(scene.signer.asked.length, 1);
  t.strictSame(scene.used[0]?.clientCertPem, scene.issued.certPem);
  const newest = scene.used[1]?.clientCertPem;
  t.equal(newest, await readFile(scene.current, 'utf8'));
  t.equal(await readFile(scene.paths.kubeconfig, 'utf8'), scene.embedded, "the user's file is left alone");
  scene.controller.abort();
  await keeping;
});

t.test('which certificate after a restart', async (t) => {
  const cases: readonly (readonly [string, string, number, boolean])[] = [
    ['a renewed one', 'system:node:node-1', 0, true],
    ['one of a former cluster', 'system:node:node-1', -2 * hourMs, false],
    ["another node's", 'system:node:node-2', 0, false],
  ];
  for (const [name, subject, sinceMs, isUsed] of cases) {
    const scene = await makeScene(t, true);
    await writeFile(scene.paths.kubeconfig, scene.embedded);
    const nowMs = scene.clock.now();
    const other = await scene.signer.issue(subject, nowMs + sinceMs, nowMs + 10 * hourMs);
    await mkdir(scene.paths.certs);
    await writeFile(scene.current, `${other.certPem}${other.keyPem}`);
    const keeping = scene.keep();
    await scene.clock.slept(1);
    t.equal(scene.used[0]?.clientCertPem !== scene.issued.certPem, isUsed, name);
    scene.controller.abort();
    await keeping;
  }
});

t.test('a renewal that fails is tried again after a minute or two', async (t) => {
  const scene = await makeScene(t, true);
  await writeFile(scene.paths.kubeconfig, scene.embedded);
  scene.clock.advance(8 * hourMs);
  scene.signer.down = true;
  const keeping = scene.keep();
  await scene.clock.slept(1);
  t.strictSame(scene.clock.sleeps, [90_000]);
  scene.signer.down = false;
  scene.clock.advance(90_000);
  await scene.clock.slept(2);
  t.equal(scene.used.length, 2);
  scene.controller.abort();
  await keeping;
});

t.test("a kubeconfig that isn't the node's own is renewed once, not for ever", async (t) => {
  const scene = await makeScene(t, true);
  const nowMs = scene.clock.now();
  const admin = await scene.signer.issue('admin', nowMs - 9 * hourMs, nowMs + hourMs);
  await writeFile(
    scene.paths.kubeconfig,
    kubeconfig({
      'client-certificate-data': Buffer.from(admin.certPem).toString('base64'),
      'client-key-data': Buffer.from(admin.keyPem).toString('base64'),
    }),
  );
  await scene.keep();
  t.equal(scene.signer.asked.length, 1);
});
