import { join } from 'node:path';
import t from 'tap';
import {
  exists,
  installCluster,
  rememberHost,
  removeCluster,
  stateDir,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { interruptedInstall } from './support/interrupt.js';
import { kubectlOutput, makeKubectl } from './support/kubectl.js';
import { pathWithout } from './support/path-without.js';

t.setTimeout(600_000);

t.test('uninstall --keep-data, install again, uninstall', { timeout: 600_000 }, async (t) => {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const bare = { env: { PATH: await pathWithout('kubectl', folder) } };
  const hostIsAsBefore = await rememberHost();
  const kubeconfig = join(folder, 'config');
  const install = async () => {
    const { kubectl } = await installCluster(['--kubeconfig', kubeconfig], bare);
    return makeKubectl({ program: kubectl, kubeconfig });
  };

  const first = await install();
  await kubectlOutput(first, ['create', 'configmap', 'kept', '--from-literal=word=still-here']);
  await kubectlOutput(first, ['create', 'deployment', 'kept', '--image=k8s.gcr.io/pause:3.2']);
  await kubectlOutput(first, ['rollout', 'status', 'deployment/kept', '--timeout=60s']);
  const removed = await removeCluster(['--keep-data']);
  t.match(removed.stdout, /etcd: kept/, 'it says what stays');
  t.equal(await exists(join(stateDir, 'etcd', 'member')), true, 'the data is there');
  t.equal(await exists('/etc/kubernetes'), false, 'the rest is not');

  const moment = { step: 'apiserver', state: 'done' } as const;
  const stopped = await interruptedInstall(moment, 'SIGINT', ['--kubeconfig', kubeconfig], bare);
  t.equal(stopped.exitCode, 130, 'the next install is interrupted and rolled back');
  t.equal(await exists('/etc/kubernetes'), false);
  t.equal(await exists(join(stateDir, 'etcd', 'member')), true, 'the data is there all the same');

  const second = await install();
  const word = await kubectlOutput(second, ['get', 'configmap', 'kept', '-o', 'jsonpath={.data.word}']);
  t.equal(word, 'still-here', 'what was in the cluster is in it again');
  await kubectlOutput(second, ['rollout', 'status', 'deployment/kept', '--timeout=60s']);
  await kubectlOutput(second, ['wait', '--for=condition=Ready', '--timeout=60s', 'pod', '-l', 'app=kept']);

  await removeCluster();
  await hostIsAsBefore(t, 'without --keep-data nothing is left, the kept data neither');
});
