import t from 'tap';
import { anonymousGetsNothing, keysArePrivate } from './lifecycle/access.js';
import { allUp, killedComponentComesBack, statusNamesWhatIsDown, untilHealthy } from './lifecycle/components.js';
import {
  healed,
  installForTest,
  kubeconfigVerbs,
  kubectlOf,
  kubeletContainer,
  logs,
  nodeIsReady,
  secondInstall,
  statusAndVerify,
  uninstallForTest,
} from './lifecycle/verbs.js';
import { makeStartKubectl } from './support/kubectl.js';
import { ensureTestImages } from './support/test-images.js';
import { runWorkloads } from './workloads.js';

t.setTimeout(1_200_000);

/** What a user does from the first command to the last, on one cluster. */
t.test('install, use, uninstall', { timeout: 1_200_000 }, async (t) => {
  await ensureTestImages();
  const cluster = await installForTest(t);
  const { installed, kubeconfig, address } = cluster;
  await t.test('the node is Ready and every system pod runs', (t) => nodeIsReady(t, cluster));
  await t.test('status and verify', (t) => statusAndVerify(t));
  await t.test('nothing for those without credentials', (t) => anonymousGetsNothing(t, address));
  await t.test('keys are private', async (t) => keysArePrivate(t, kubeconfig));
  await t.test('a second install changes nothing', (t) => secondInstall(t, cluster));
  await t.test('logs', (t) => logs(t));
  await t.test('kubeconfig', (t) => kubeconfigVerbs(t, cluster));
  await t.test('workloads', { timeout: 900_000 }, (t) =>
    runWorkloads(t, {
      kubectl: kubectlOf(cluster),
      startKubectl: makeStartKubectl({ program: installed.kubectl, kubeconfig }),
      nodeAddress: address,
    }),
  );
  await t.test('a component that is killed comes back', (t) => killedComponentComesBack(t));
  await t.test('status names what is down', (t) => statusNamesWhatIsDown(t, kubeletContainer));
  await t.test('all is well once the kubelet is back', async (t) => allUp(t, await untilHealthy('the cluster')));
  await t.test('install heals a cluster whose kubelet is gone', (t) => healed(t, cluster));
  await uninstallForTest(t, cluster);
});
