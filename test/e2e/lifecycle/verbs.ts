import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runCli } from '../support/cli.js';
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
} from '../support/cluster.js';
import { kubectlOutput, listPods, makeKubectl } from '../support/kubectl.js';
import { pathWithout } from '../support/path-without.js';
import { outputOf, type ProgramOptions, runProgram } from '../support/program.js';
import { allUp } from './components.js';

export const kubeletContainer = 'hyperup-kubelet';

/** A cluster that a test has installed, and what it was installed with. */
export interface Cluster {
  readonly kubeconfig: string;
  /** The flags beside the kubeconfig's. */
  readonly flags: readonly string[];
  /** The environment of a machine without kubectl. */
  readonly bare: ProgramOptions;
  readonly installed: InstallView;
  readonly address: string;
  /** A folder of the test's own. */
  readonly folder: string;
  /** Fails the test where the host is not as before the install. */
  readonly hostIsAsBefore: (t: Test, message: string) => Promise<void>;
}

/** Installs on a machine without a cluster, as on one that never had kubectl, and checks what the install says. */
export async function installForTest(t: Test, flags: readonly string[] = []): Promise<Cluster> {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const hostIsAsBefore = await rememberHost();
  // Neither the folder nor the file is there: both are the install's to make.
  const kubeconfig = join(folder, 'new', 'config');
  const bare = { env: { PATH: await pathWithout('kubectl', folder) } };
  const started = performance.now();
  const installed = await installCluster([...flags, '--kubeconfig', kubeconfig], bare);
  t.comment(`installed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const address = new URL(installed.status.server).hostname;
  t.match(installed, { changed: true, kubeconfigPath: kubeconfig, context: 'hyperup' });
  t.notMatch(installed.run.stdout + installed.run.stderr, /PRIVATE KEY|client-key-data/, 'no secret was printed');
  allUp(t, installed.status);
  return { kubeconfig, flags, bare, installed, address, folder, hostIsAsBefore };
}

/** Uninstalls: nothing is left on the host, and the next uninstall finds nothing. */
export async function uninstallForTest(t: Test, { folder, hostIsAsBefore }: Cluster): Promise<void> {
  const removed = await removeCluster();
  t.match(removed.stdout, /Uninstalled in .*: \d+ changes taken back; checked: nothing is left/);
  t.equal(await exists(join(folder, 'new')), false, "the kubeconfig's folder was the install's, and is gone");
  await hostIsAsBefore(t, 'the host is as before');
  const again = await runCli(['uninstall', '--yes']);
  t.match(again, { exitCode: 0, stdout: /Nothing was installed/ }, 'a second uninstall finds nothing');
  t.equal((await runCli(['status'])).exitCode, 1, 'status says that nothing is installed');
}

export const kubectlOf = ({ installed, kubeconfig }: Cluster) =>
  makeKubectl({ program: installed.kubectl, kubeconfig });

/** The node is Ready, and the five pods of the control plane and the DNS server's run since their first start. */
export async function nodeIsReady(t: Test, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  t.equal(cluster.installed.kubectl, '/usr/local/bin/kubectl', 'kubectl was put in place');
  t.match(await kubectlOutput(kubectl, ['version', '--short']), /Client Version: v1\.20\.2\nServer Version: v1\.20\.2/);
  t.match(await kubectlOutput(kubectl, ['get', 'nodes', '--no-headers']), /^\S+ +Ready .* v1\.20\.2\n$/);
  const pods = await listPods(kubectl, 'kube-system', '');
  t.equal(pods.length, 6, `six pods run the cluster: ${pods.map(({ name }) => name).join(' ')}`);
  for (const { name, phase, ready, restarts } of pods) {
    t.match({ phase, ready, restarts }, { phase: 'Running', ready: true, restarts: 0 }, name);
  }
  const said = await runProgram('docker', ['logs', 'hyperup-kubelet']);
  t.notMatch(said.stdout + said.stderr, /Failed creating a mirror pod/, 'none was refused its API object at first');
  const bound = await kubectlOutput(kubectl, ['get', 'componentstatuses', '-o', 'name']);
  t.match(bound, /etcd-0/, 'the API server knows its store');
}

/** Both say that all is up, to people and to programs. */
export async function statusAndVerify(t: Test): Promise<void> {
  for (const verb of ['status', 'verify']) {
    const { exitCode, line } = await cliJson<StatusView>([verb]);
    t.equal(exitCode, 0, `${verb} exits 0`);
    t.match(line, { verb, ok: true });
    allUp(t, line.result);
    const smoke = line.result.components.find(({ component }) => component === 'smoke');
    t.equal(smoke?.state, verb === 'verify' ? 'up' : undefined, `${verb} and the smoke pod`);
    if (smoke) t.match(smoke.message, /found the cluster by name/);
  }
  const text = await runCli(['status']);
  t.equal(text.exitCode, 0);
  t.match(text.stdout, /^Cluster hyperup is healthy: Kubernetes v1\.20\.2/);
  t.match(text.stdout, /^kube-apiserver +up +v1\.20\.2 +\d+ +6443 /m);
}

/** The same install again changes nothing; one with other options is refused. */
export async function secondInstall(t: Test, { kubeconfig, flags, bare, installed }: Cluster): Promise<void> {
  const journal = await readFile(join(stateDir, 'journal.jsonl'), 'utf8');
  const containers = () => outputOf('docker', ['ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}']);
  const before = await containers();
  const again = await installCluster([...flags, '--kubeconfig', kubeconfig], bare);
  t.match(again, { changed: false, kubeconfigPath: kubeconfig, kubectl: installed.kubectl });
  allUp(t, again.status);
  t.equal(await readFile(join(stateDir, 'journal.jsonl'), 'utf8'), journal, 'the journal is the same');
  t.equal(await containers(), before, 'so are the containers');
  const other = await cliJson(
    ['install', ...offline, ...flags, '--kubeconfig', kubeconfig, '--api-port', '7443'],
    bare,
  );
  t.equal(other.exitCode, 1, 'one with other options is refused');
  t.match(other.line.error, { code: 'Conflict', message: /ports/ });
}

/** Each component's own, as many lines as asked for. */
export async function logs(t: Test): Promise<void> {
  for (const component of ['kube-apiserver', 'kubelet', 'etcd', 'dns']) {
    const { exitCode, stdout } = await runCli(['logs', component, '--tail', '5']);
    t.equal(exitCode, 0);
    const lines = stdout.split('\n').filter((line) => line !== '');
    t.ok(lines.length > 0 && lines.length <= 5, `${component}: ${lines.length} lines`);
  }
  t.equal((await runCli(['logs', 'nothing'])).exitCode, 2, 'an unknown component is wrong usage');
}

/** Print, merge and remove. */
export async function kubeconfigVerbs(t: Test, { installed, kubeconfig, folder }: Cluster): Promise<void> {
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

/** An install brings back a kubelet whose container was removed. */
export async function healed(t: Test, { kubeconfig, flags, bare }: Cluster): Promise<void> {
  await outputOf('docker', ['rm', '--force', kubeletContainer]);
  const again = await installCluster([...flags, '--kubeconfig', kubeconfig], bare);
  t.equal(again.changed, true);
  allUp(t, again.status);
}
