import { join } from 'node:path';
import t from 'tap';
import { runCli } from './support/cli.js';
import { exists, offline, rememberHost, stateDir, temporaryFolder, withoutCluster } from './support/cluster.js';
import { ensureClusterImages } from './support/cluster-images.js';
import { type EngineRequest, startEngineProxy } from './support/engine-proxy.js';
import { failsClearly } from './support/failure.js';
import { outputOf } from './support/program.js';

// tap's own limit for a file is 30 s.
t.setTimeout(300_000);

t.before(async () => {
  await withoutCluster(t);
  await ensureClusterImages();
});

interface Case {
  readonly name: string;
  readonly diesAt: (request: EngineRequest) => boolean;
  readonly says: readonly RegExp[];
  /** Whether it dies before hyperup has changed anything; then there is nothing to finish. */
  readonly early: boolean;
}

const created = /^\/containers\/create\?.*name=hyperup-kubelet/;
const connection = /engine/i;
let kubeletAsked = false;

const cases: readonly Case[] = [
  { name: 'at the first question', diesAt: ({ index }) => index === 0, says: [connection], early: true },
  { name: 'after a few questions', diesAt: ({ index }) => index === 4, says: [connection], early: true },
  {
    name: 'while the images are looked at',
    diesAt: ({ path }) => path.startsWith('/images/k8s.gcr.io/hyperkube'),
    says: [connection],
    early: false,
  },
  {
    name: "while the kubelet's container is made",
    diesAt: ({ method, path }) => method === 'POST' && created.test(path),
    says: [connection, /hint: .*uninstall/],
    early: false,
  },
  {
    name: 'when the kubelet has started its pods',
    diesAt: ({ method, path }) => {
      if (method === 'POST' && created.test(path)) kubeletAsked = true;
      return kubeletAsked && method === 'POST' && /^\/containers\/\w+\/stop/.test(path);
    },
    says: [connection, /hint: .*uninstall/],
    early: false,
  },
];

for (const { name, diesAt, says, early } of cases) {
  t.test(`an engine that goes away ${name}`, async (t) => {
    const dir = await temporaryFolder(t);
    const proxy = await startEngineProxy(t, dir, { diesAt, manner: 'gone' });
    const hostIsAsBefore = await rememberHost();
    const kubeconfig = join(dir, 'config');
    const result = await runCli(
      ['install', ...offline, '--engine-host', proxy.host, '--kubeconfig', kubeconfig, '--timeout', '40s'],
      { timeoutMs: 120_000 },
    );
    t.ok(proxy.dead, 'the moment came', { requests: proxy.requests });
    failsClearly(t, result, { exitCode: 1, says });
    t.ok(result.elapsedMs < 60_000, `bounded: ${Math.round(result.elapsedMs)} ms`);
    t.notOk(await exists(kubeconfig), 'no kubeconfig was made');
    if (early) t.notOk(await exists(stateDir), 'nothing was begun');
    const uninstall = await runCli(['uninstall', '--yes'], { timeoutMs: 120_000 });
    t.equal(uninstall.exitCode, 0, 'with the engine back, uninstall ends the work', { said: uninstall.stderr });
    t.equal(
      await outputOf('docker', ['ps', '-aq', '--filter', 'label=io.hyperup.managed']),
      '',
      'no container of ours is left',
    );
    await hostIsAsBefore(t, 'the machine is as it was');
  });
}
