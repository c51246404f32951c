import { join } from 'node:path';
import t, { type Test } from 'tap';
import { allUp } from './lifecycle/components.js';
import { runCli, startCli } from './support/cli.js';
import {
  exists,
  installCluster,
  offline,
  rememberHost,
  removeCluster,
  stateDir,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { eventually } from './support/eventually.js';
import { interruptedAt, interruptedInstall, type Moment } from './support/interrupt.js';
import { pathWithout } from './support/path-without.js';
import { outputOf, type ProgramOptions } from './support/program.js';
import { containerIsGone, containerIsThere, journalSays } from './support/sightings.js';

t.setTimeout(900_000);

interface Scene {
  readonly kubeconfig: string;
  /** The environment of a machine without kubectl, so that the install has that to put in place too. */
  readonly bare: ProgramOptions;
  readonly hostIsAsBefore: (t: Test, message: string) => Promise<void>;
}

async function setScene(t: Test): Promise<Scene> {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const bare = { env: { PATH: await pathWithout('kubectl', folder) } };
  return { kubeconfig: join(folder, 'config'), bare, hostIsAsBefore: await rememberHost() };
}

async function everythingIsBack(t: Test, { kubeconfig, hostIsAsBefore }: Scene): Promise<void> {
  t.equal(await exists(kubeconfig), false, 'the kubeconfig is gone');
  await hostIsAsBefore(t, 'the host is as before');
}

const sandbox = containerIsThere('label=io.kubernetes.docker.type=podsandbox');

const deaths: readonly { readonly name: string; readonly moment: Moment }[] = [
  { name: 'the journal was just begun', moment: { step: 'journal', state: 'done' } },
  {
    name: 'the host is being prepared',
    moment: { step: 'host', state: 'started', until: journalSays('"kind":"netfilter"') },
  },
  { name: 'the kubelet was just started', moment: { step: 'kubelet', state: 'done' } },
  { name: 'static pods are being made', moment: { step: 'apiserver', state: 'started', until: sandbox } },
  {
    name: 'the kubelet is being replaced',
    moment: { step: 'join', state: 'started', until: containerIsGone('name=hyperup-kubelet-standalone') },
  },
  {
    name: 'the smoke pod is being made',
    moment: { step: 'controllers', state: 'started', until: containerIsThere('name=k8s_POD_hyperup-smoke-') },
  },
  {
    name: 'kubectl is being copied',
    moment: { step: 'handover', state: 'started', until: journalSays('"name":"hyperup-kubectl-') },
  },
];

t.test('kill -9 of an install', { timeout: 900_000 }, async (t) => {
  const scene = await setScene(t);
  for (const { name, moment } of deaths) {
    await t.test(`when ${name}, uninstall leaves nothing`, async (t) => {
      const killed = await interruptedInstall(moment, 'SIGKILL', ['--kubeconfig', scene.kubeconfig], scene.bare);
      t.equal(killed.exitCode, 137, 'it was killed');
      t.equal(await exists(join(stateDir, 'journal.jsonl')), true, 'its journal is there');
      t.equal((await runCli(['status'], { timeoutMs: 60_000 })).exitCode, 1, 'status says that this is no cluster');
      await removeCluster();
      await everythingIsBack(t, scene);
    });
  }

  await t.test('an install goes on after two of them', async (t) => {
    const args = ['--kubeconfig', scene.kubeconfig];
    await interruptedInstall({ step: 'apiserver', state: 'started', until: sandbox }, 'SIGKILL', args, scene.bare);
    const scheduler = containerIsThere('label=io.kubernetes.container.name=kube-scheduler');
    await interruptedInstall({ step: 'controllers', state: 'started', until: scheduler }, 'SIGKILL', args, scene.bare);
    const installed = await installCluster(args, scene.bare);
    t.equal(installed.changed, true);
    allUp(t, installed.status);
  });

  await t.test('an uninstall that is killed is finished by the next', async (t) => {
    // The newest changes go first, files; the kubelet's container and the pods come near the end.
    for (const until of [journalSays('{"undone":'), containerIsGone('name=hyperup-kubelet')]) {
      const undoing: Moment = { step: 'undo', state: 'started', until };
      const killed = await interruptedAt(undoing, 'SIGKILL', ['uninstall', '--yes'], scene.bare);
      t.equal(killed.exitCode, 137, 'it was killed');
      t.equal(await exists(join(stateDir, 'journal.jsonl')), true, 'its journal is there');
    }
    await removeCluster();
    await everythingIsBack(t, scene);
  });
});

t.test('Ctrl-C in an install', { timeout: 300_000 }, async (t) => {
  const scene = await setScene(t);
  const args = ['install', ...offline, '--kubeconfig', scene.kubeconfig];

  await t.test('rolls back, says so, and exits with 130', async (t) => {
    const running = startCli(args, {
      ...scene.bare,
      timeoutMs: 240_000,
      onLine: (line) => {
        if (line.includes('Start the controller manager') && line.startsWith('[....]')) running.kill('SIGINT');
      },
    });
    const { exitCode, stdout, stderr } = await running.result;
    t.equal(exitCode, 130);
    t.equal(stdout, '', 'there is no result');
    t.match(stderr, /interrupted by SIGINT: rolling back/);
    t.match(stderr, /\[ ok \] Roll back: \d+ changes undone/);
    t.notMatch(stderr, /at .*\.js:\d+/, 'no stack is shown');
    await everythingIsBack(t, scene);
    t.match(await runCli(['uninstall', '--yes']), { exitCode: 0, stdout: /Nothing was installed/ });
  });

  await t.test('with --keep-on-failure leaves what was made, until uninstall', async (t) => {
    const made: Moment = { step: 'controllers', state: 'started' };
    const kept = ['--kubeconfig', scene.kubeconfig, '--keep-on-failure'];
    const stopped = await interruptedInstall(made, 'SIGINT', kept, scene.bare);
    t.equal(stopped.exitCode, 130);
    const names = await outputOf('docker', ['ps', '--format', '{{.Names}}']);
    t.match(names, /^hyperup-kubelet$/m, 'the kubelet runs');
    t.match(names, /^k8s_kube-apiserver_/m, 'so does the API server');
    await removeCluster();
    await everythingIsBack(t, scene);
  });

  await t.test('pressed again ends it at once, and uninstall takes back the rest', async (t) => {
    const running = startCli(args, {
      ...scene.bare,
      timeoutMs: 240_000,
      onLine: (line) => {
        if (line.includes('Start the controller manager') && line.startsWith('[....]')) running.kill('SIGINT');
        if (line.includes('Roll back') && line.startsWith('[....]')) running.kill('SIGINT');
      },
    });
    t.equal((await running.result).exitCode, 130);
    t.equal(await exists(join(stateDir, 'journal.jsonl')), true, 'the journal keeps what is left');
    await removeCluster();
    await everythingIsBack(t, scene);
  });
});

t.test('two installs at once', { timeout: 300_000 }, async (t) => {
  const scene = await setScene(t);
  const args = ['install', ...offline, '--kubeconfig', scene.kubeconfig];
  const first = startCli(args, { ...scene.bare, timeoutMs: 240_000 });
  await eventually('the first to have the journal', async () =>
    (await exists(join(stateDir, 'journal.jsonl')))
      ? { done: true, value: undefined }
      : { done: false, reason: 'no journal' },
  );
  const second = await runCli(args, { ...scene.bare, timeoutMs: 240_000 });
  t.equal(second.exitCode, 1, 'the second one is refused');
  t.match(second.stderr, /hyperup install|pid|process/, 'and told by whom');
  first.kill('SIGTERM');
  t.equal((await first.result).exitCode, 130, 'the first one is not disturbed, and rolls back when it is stopped');
  await everythingIsBack(t, scene);
});
