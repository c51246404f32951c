import { lstat, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  cliJson,
  exists,
  installCluster,
  offline,
  rememberHost,
  removeCluster,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { kubectlOutput, makeKubectl } from './support/kubectl.js';
import { outputOf, runProgram } from './support/program.js';

t.setTimeout(600_000);

const pause = 'k8s.gcr.io/pause:3.2';
const run = (file: string, ...args: string[]) => outputOf(file, args);

/** All labels of ours, so that a run that was cut short can be cleaned up after. */
const testLabel = 'io.hyperup.test=foreign';

/** Somebody's containers, whose names and labels look like the cluster's. */
const containers: readonly { readonly name: string; readonly labels: readonly string[] }[] = [
  { name: 'hyperup-kubelet-not', labels: [] },
  { name: 'k8s_looks-like-a-pod', labels: ['io.kubernetes.pod.name=web', 'io.kubernetes.pod.namespace=default'] },
  { name: 'k8s-not-managed', labels: ['io.hyperup.managed=false', 'app=kubelet'] },
];

async function runForeignContainer(name: string, labels: readonly string[]): Promise<void> {
  const all = [testLabel, ...labels].flatMap((label) => ['--label', label]);
  await run('docker', 'run', '--detach', '--name', name, '--network', 'none', ...all, pause);
}

async function removeForeignContainers(): Promise<void> {
  const ids = await run('docker', 'ps', '--all', '--quiet', '--filter', `label=${testLabel}`);
  for (const id of ids.split('\n').filter((line) => line !== '')) await run('docker', 'rm', '--force', id);
}

/** Somebody's rules: a chain that nothing of ours jumps to, one named like the cluster's, and a jump from a hook. */
const chains = ['FOREIGN-TEST', 'KUBE-FOREIGN-TEST'];
const nowhere = '192.0.2.254/32';
const hook = ['FORWARD', '--destination', nowhere, '--jump', 'FOREIGN-TEST'];

async function addForeignRules(): Promise<void> {
  for (const chain of chains) {
    await run('iptables', '--wait', '--new-chain', chain);
    await run('iptables', '--wait', '--append', chain, '--destination', nowhere, '--jump', 'DROP');
  }
  await run('iptables', '--wait', '--append', ...hook);
}

/** Quiet where they aren't there. */
async function removeForeignRules(): Promise<void> {
  await runProgram('iptables', ['--wait', '--delete', ...hook]);
  for (const chain of chains) {
    await runProgram('iptables', ['--wait', '--flush', chain]);
    await runProgram('iptables', ['--wait', '--delete-chain', chain]);
  }
}

const files = ['/etc/kubernetes/keep.txt', '/etc/cni/net.d/foreign.txt', '/var/log/pods/foreign.txt'];

/** Gives what removes them, and the folders that were made for them. */
async function addForeignFiles(): Promise<() => Promise<void>> {
  const made: string[] = [];
  for (const path of files) {
    const folder = join(path, '..');
    const first = await mkdir(folder, { recursive: true });
    for (let at = folder; first !== undefined && at.startsWith(first); at = join(at, '..')) made.push(at);
    await writeFile(path, 'mine\n', { mode: 0o640 });
  }
  return async () => {
    for (const path of files) await rm(path, { force: true });
    // Deepest first; one that others use by now stays.
    for (const folder of made.sort().reverse()) await rmdir(folder).catch(() => {});
  };
}

const kubeconfigText = `# my own clusters, please keep this line
apiVersion: v1
kind: Config
current-context: home   # the one I use
clusters:
- name: home
  cluster: {server: "https://home.invalid:6443"}
users:
    - name: me
      user:
        token: abc
contexts:
- {name: home, context: {cluster: home, user: me}}
preferences: {}
`;

/** Somebody's names for the images of the cluster, and one beside such a name. */
const foreignImages: readonly { readonly image: string; readonly name: string }[] = [
  { image: pause, name: 'foreign.invalid/k8s.gcr.io/pause:3.2' },
  { image: pause, name: 'k8s.gcr.io/pause:foreign' },
  { image: 'k8s.gcr.io/etcd:3.4.13-0', name: 'foreign.invalid/etcd:kept' },
  { image: 'k8s.gcr.io/hyperkube:v1.20.2', name: 'foreign.invalid/hyperkube:kept' },
];

/** An image that lost its own name to a fault gets it back first: it takes long to make. */
async function removeForeignImages(): Promise<void> {
  for (const { image, name } of foreignImages) {
    const { exitCode } = await runProgram('docker', ['image', 'inspect', image]);
    if (exitCode !== 0) await runProgram('docker', ['tag', name, image]);
    await runProgram('docker', ['rmi', name]);
  }
}

const listImages = async () =>
  (await run('docker', 'images', '--all', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'))
    .split('\n')
    .sort()
    .join('\n');

async function plant(t: Test): Promise<void> {
  await removeForeignContainers();
  await removeForeignRules();
  await removeForeignImages();
  t.teardown(removeForeignContainers);
  for (const { name, labels } of containers) await runForeignContainer(name, labels);
  t.teardown(removeForeignImages);
  for (const { image, name } of foreignImages) await run('docker', 'tag', image, name);
  t.teardown(removeForeignRules);
  await addForeignRules();
  t.teardown(await addForeignFiles());
}

t.test("what is somebody else's stays as it is", { timeout: 600_000 }, async (t) => {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const kubeconfig = join(folder, 'config');
  await writeFile(kubeconfig, kubeconfigText, { mode: 0o640 });
  await plant(t);
  const imagesBefore = await listImages();
  const hostIsAsBefore = await rememberHost();

  const refused = await cliJson(['install', ...offline, '--kubeconfig', kubeconfig]);
  t.equal(refused.exitCode, 1, 'a container that looks like a pod is taken for that of a cluster in the way');
  t.match(refused.line.error, { code: 'PreflightFailed', output: /former-install.*web/ }, 'and is named');
  await hostIsAsBefore(t, 'nothing was changed then');
  // A cache of the test's own: what is purged in the end is not the user's.
  const own = { env: { HYPERUP_CACHE_DIR: join(folder, 'cache') } };
  const installed = await installCluster(['--kubeconfig', kubeconfig, '--skip-preflight', 'former-install'], own);
  await t.test('while the cluster runs', async (t) => {
    const kubectl = makeKubectl({ program: installed.kubectl, kubeconfig });
    t.match(await kubectlOutput(kubectl, ['get', 'nodes', '--no-headers']), /Ready/);
    const contexts = await kubectlOutput(kubectl, ['config', 'get-contexts', '-o', 'name']);
    t.same(contexts.trim().split('\n').sort(), ['home', 'hyperup'], 'both contexts are there');
    const names = (await run('docker', 'ps', '--format', '{{.Names}}')).split('\n');
    for (const { name } of containers) t.ok(names.includes(name), `${name} runs`);
    t.equal(await readFile('/etc/kubernetes/keep.txt', 'utf8'), 'mine\n');
  });

  await t.test('what came while it ran stays too', async (t) => {
    const late = 'k8s_came-later';
    await runForeignContainer(late, ['io.kubernetes.pod.name=late']);
    const lateRule = ['KUBE-FOREIGN-TEST', '--destination', '192.0.2.253/32', '--jump', 'DROP'];
    await run('iptables', '--wait', '--append', ...lateRule);
    await removeCluster(['--purge-images']);
    const state = await run('docker', 'inspect', '--format', '{{.State.Status}} {{.RestartCount}}', late);
    t.equal(state.trim(), 'running 0', 'the container runs on');
    await run('docker', 'rm', '--force', late);
    const rule = await runProgram('iptables', ['--wait', '--delete', ...lateRule]);
    t.equal(rule.exitCode, 0, 'the rule is there');
  });

  await hostIsAsBefore(t, 'the host is as before, containers, rules and files of others included');
  t.equal(await readFile(kubeconfig, 'utf8'), kubeconfigText, 'the kubeconfig is the same to the byte');
  t.equal((await lstat(kubeconfig)).mode & 0o777, 0o640, 'and has its mode');
  t.equal(await listImages(), imagesBefore, 'the images that were there before are all there');
  for (const path of files) t.equal(await exists(path), true, path);
});
