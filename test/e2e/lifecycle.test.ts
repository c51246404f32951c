import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { anonymousGetsNothing, keysArePrivate } from './lifecycle/access.js';
import { allUp, killedComponentComesBack, statusNamesWhatIsDown, untilHealthy } from './lifecycle/components.js';
import { runCli } from './support/cli.js';
import {
  cliJson,
  exists,
  type InstallView,
  installCluster,
  offline,
  rememberHost,
  removeCluster,
  type StatusView,
  stateDir,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { kubectlOutput, listPods, makeKubectl, makeStartKubectl } from './support/kubectl.js';
import { pathWithout } from './support/path-without.js';
import { outputOf, type ProgramOptions, runProgram } from './support/program.js';
import { ensureTestImages } from './support/test-images.js';
import { runWorkloads } from './workloads.js';

const kubeletContainer = 'hyperup-kubelet';

interface Cluster {
  readonly kubeconfig: string;
  /** The environment of a machine without kubectl. */
  readonly bare: ProgramOptions;
  readonly installed: InstallView;
  readonly address: string;
}

t.setTimeout(1_200_000);

/** What a user does from the first command to the last, on one cluster. */
t.test('install, use, uninstall', { timeout: 1_200_000 }, async (t) => {
  await ensureTestImages();
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const hostIsAsBefore = await rememberHost();

  // Neither the folder nor the file is there: both are the install's to make.
  const kubeconfig = join(folder, 'new', 'config');
  const bare = { env: { PATH: await pathWithout('kubectl', folder) } };
  const started = performance.now();
  const installed = await installCluster(['--kubeconfig', kubeconfig], bare);
  t.comment(`installed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const address = new URL(installed.status.server).hostname;
  const cluster: Cluster = { kubeconfig, bare, installed, address };

  t.match(installed, { changed: true, kubeconfigPath: kubeconfig, context: 'hyperup' });
  t.notMatch(installed.run.stdout + installed.run.stderr, /PRIVATE KEY|client-key-data/, 'no secret was printed');
  allUp(t, installed.status);
  await t.test('the node is Ready and every system pod runs', (t) => nodeIsReady(t, cluster));
  await t.test('status and verify', (t) => statusAndVerify(t));
  await t.test('nothing for those without credentials', (t) => anonymousGetsNothing(t, address));
  await t.test('keys are private', async (t) => keysArePrivate(t, kubeconfig));
  await t.test('a second install changes nothing', (t) => secondInstall(t, cluster));
  await t.test('logs', (t) => logs(t));
  await t.test('kubeconfig', (t) => kubeconfigVerbs(t, cluster, folder));
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

  const removed = await removeCluster();
  t.match(removed.stdout, /Uninstalled in .*: \d+ changes taken back; checked: nothing is left/);
  t.equal(await exists(join(folder, 'new')), false, "the kubeconfig's folder was the install's, and is gone");
  await hostIsAsBefore(t, 'the host is as before');
  const again = await runCli(['uninstall', '--yes']);
  t.match(again, { exitCode: 0, stdout: /Nothing was installed/ }, 'a second uninstall finds nothing');
  t.equal((await runCli(['status'])).exitCode, 1, 'status says that nothing is installed');
});

const kubectlOf = ({ installed, kubeconfig }: Cluster) => makeKubectl({ program: installed.kubectl, kubeconfig });

async function nodeIsReady(t: Test, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  t.equal(cluster.installed.kubectl, '/usr/local/bin/kubectl', 'kubectl was put in place');
  t.match(await kubectlOutput(kubectl, ['version', '--short']), /Client Version: v1\.20\.2\nServer Version: v1\.20\.2/);
  t.match(await kubectlOutput(kubectl, ['get', 'nodes', '--no-headers']), /^\S+ +Ready .* v1\.20\.2\n$/);
  const pods = await listPods(kubectl, 'kube-system', '');
  t.equal(pods.length, 5, `five pods run the cluster: ${pods.map(({ name }) => name).join(' ')}`);
  for (const { name, phase, ready, restarts } of pods) {
    t.match({ phase, ready, restarts }, { phase: 'Running', ready: true, restarts: 0 }, name);
  }
  const said = await runProgram('docker', ['logs', 'hyperup-kubelet']);
  t.notMatch(said.stdout + said.stderr, /Failed creating a mirror pod/, 'none was refused its API object at first');
  const bound = await kubectlOutput(kubectl, ['get', 'componentstatuses', '-o', 'name']);
  t.match(bound, /etcd-0/, 'the API server knows its store');
}

async function statusAndVerify(t: Test): Promise<void> {
  for (const verb of ['status', 'verify']) {
    const { exitCode, line } = await cliJson<StatusView>([verb]);
    t.equal(exitCode, 0, `${verb} exits 0`);
    t.match(line, { verb, ok: true });
    allUp(t, line.result);
    const smoke = line.result.components.find(({ component }) => component === 'smoke');
    t.equal(smoke?.state, verb === 'verify' ? 'up' : undefined, `${verb} and the smoke pod`);
  }
  const text = await runCli(['status']);
  t.equal(text.exitCode, 0);
  t.match(text.stdout, /^Cluster hyperup is healthy: Kubernetes v1\.20\.2/);
  t.match(text.stdout, /^kube-apiserver +up +v1\.20\.2 +\d+ +6443 /m);
}

async function secondInstall(t: Test, { kubeconfig, bare, installed }: Cluster): Promise<void> {
  const journal = await readFile(join(stateDir, 'journal.jsonl'), 'utf8');
  const containers = () => outputOf('docker', ['ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}']);
  const before = await containers();
  const again = await installCluster(['--kubeconfig', kubeconfig], bare);
  t.match(again, { changed: false, kubeconfigPath: kubeconfig, kubectl: installed.kubectl });
  allUp(t, again.status);
  t.equal(await readFile(join(stateDir, 'journal.jsonl'), 'utf8'), journal, 'the journal is the same');
  t.equal(await containers(), before, 'so are the containers');
  const other = await cliJson(['install', ...offline, '--kubeconfig', kubeconfig, '--api-port', '7443'], bare);
  t.equal(other.exitCode, 1, 'one with other options is refused');
  t.match(other.line.error, { code: 'Conflict', message: /ports/ });
}

async function logs(t: Test): Promise<void> {
  for (const component of ['kube-apiserver', 'kubelet', 'etcd']) {
    const { exitCode, stdout } = await runCli(['logs', component, '--tail', '5']);
    t.equal(exitCode, 0);
    const lines = stdout.split('\n').filter((line) => line !== '');
    t.ok(lines.length > 0 && lines.length <= 5, `${component}: ${lines.length} lines`);
  }
  t.equal((await runCli(['logs', 'nothing'])).exitCode, 2, 'an unknown component is wrong usage');
}

async function kubeconfigVerbs(t: Test, { installed, kubeconfig }: Cluster, folder: string): Promise<void> {
  const nodes = (path: string) =>
    kubectlOutput(makeKubectl({ program: installed.kubectl, kubeconfig: path }), ['get', 'nodes']);
  const printed = await runCli(['kubeconfig', 'print']);
  t.match(printed, { exitCode: 0, stdout: /^apiVersion: v1\n/ });
  const other = join(folder, 'other');
  t.equal((await runCli(['kubeconfig', 'merge', '--kubeconfig', other])).exitCode, 0);
  t.match(await nodes(other), /Ready/, 'a merged file works');
  t.equal((await runCli(['kubeconfig', 'remove', '--kubeconfig', other])).exitCode, 0);
  t.notMatch(await readFile(other, 'utf8').catch(() => ''), /client-key-data/, 'and is emptied again');
  t.match(await nodes(kubeconfig), /Ready/, 'the first one is as before');
}

async function healed(t: Test, { kubeconfig, bare }: Cluster): Promise<void> {
  await outputOf('docker', ['rm', '--force', kubeletContainer]);
  const again = await installCluster(['--kubeconfig', kubeconfig], bare);
  t.equal(again.changed, true);
  allUp(t, again.status);
}
