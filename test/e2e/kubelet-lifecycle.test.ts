import t, { type Test } from 'tap';
import { anonymousGetsNothing, keysArePrivate } from './lifecycle/access.js';
import { killedComponentComesBack } from './lifecycle/components.js';
import {
  type Cluster,
  installForTest,
  kubectlOf,
  kubeletContainer,
  logs,
  nodeIsReady,
  secondInstall,
  statusAndVerify,
  uninstallForTest,
} from './lifecycle/verbs.js';
import { askAnonymously } from './support/https-probe.js';
import { kubectlOutput, makeStartKubectl } from './support/kubectl.js';
import { outputOf } from './support/program.js';
import { ensureTestImages } from './support/test-images.js';
import { runWorkloads } from './workloads.js';

t.setTimeout(600_000);

/** The essentials of `lifecycle.test.ts` on the built-in kubelet. */
t.test('install, use, uninstall with the built-in kubelet', { timeout: 600_000 }, async (t) => {
  await ensureTestImages(['flask', 'redis', 'busybox']);
  const cluster = await installForTest(t, ['--kubelet', 'builtin']);
  const { installed, kubeconfig, address } = cluster;
  await t.test('the kubelet is ours', (t) => kubeletIsBuiltIn(t));
  await t.test('the node is Ready and every system pod runs', (t) => nodeIsReady(t, cluster));
  await t.test('status and verify', (t) => statusAndVerify(t));
  await t.test('nothing for those without credentials', (t) => anonymousGetsNothing(t, address));
  await t.test('nothing of the kubelet for those without rights', (t) => tokenGetsNothing(t, cluster));
  await t.test('keys are private', async (t) => keysArePrivate(t, kubeconfig));
  await t.test('a second install changes nothing', (t) => secondInstall(t, cluster));
  await t.test('logs', (t) => logs(t));
  await t.test('workloads', { timeout: 400_000 }, (t) =>
    runWorkloads(
      t,
      {
        kubectl: kubectlOf(cluster),
        startKubectl: makeStartKubectl({ program: installed.kubectl, kubeconfig }),
        // Nothing keeps a host port from being reached by the loopback address.
        nodeAddress: '127.0.0.1',
      },
      ['everyday', 'visitCounter', 'names', 'sums', 'settings'],
    ),
  );
  await t.test('a component that is killed comes back', (t) => killedComponentComesBack(t));
  await uninstallForTest(t, cluster);
});

async function kubeletIsBuiltIn(t: Test): Promise<void> {
  const image = await outputOf('docker', ['inspect', '--format', '{{.Config.Image}}', kubeletContainer]);
  t.match(image, /^hyperup\/kubelet/, 'its container is of the image that the install made');
}

/** A pod's own token proves who it is, and gives no right to the kubelet. */
async function tokenGetsNothing(t: Test, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  const secret = ['get', 'secrets', '--field-selector', 'type=kubernetes.io/service-account-token'];
  const coded = await kubectlOutput(kubectl, [...secret, '-o', 'jsonpath={.items[0].data.token}']);
  const token = Buffer.from(coded, 'base64').toString();
  t.ok(token.length > 100, 'there is a token');
  for (const path of ['/pods', '/metrics', '/logs/', '/exec/kube-system/x/y?command=ls&output=1', '/configz']) {
    const url = `https://127.0.0.1:10250${path}`;
    t.equal(await askAnonymously(url, { authorization: `Bearer ${token}` }), 403, `${path} with a pod's token`);
    t.equal(await askAnonymously(url, { authorization: 'Bearer made.up.token' }), 401, `${path} with none that counts`);
  }
}
