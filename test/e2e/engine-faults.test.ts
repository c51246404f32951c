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

const cases: readonly Case[] = [
  { name: 'at the first question', diesAt: ({ index }) => index === 0, says: [connection], early: true },
  { name: 'after a few questions', diesAt: ({ index }) => index === 4, says: [connection], early: true },
  {
    name: 'while preflight tries a privileged container',
    diesAt: ({ path }) => /^\/containers\/create\?.*hyperup-preflight/.test(path),
    says: [connection],
    early: true,
  },
  {
    name: 'while the images are looked at',
    diesAt: ({ path }) => path.startsWith('/images/k8s.gcr.io/hyperkube'),
    says: [connection],
    early: false,
  },
  {
    name: "while the kubelet's container is made",
    diesAt: ({ method, path }) => method === 'POST' && created.test(path),
    says: [connection, /could not be taken back; they stand in \S+journal\.jsonl/, /hyperup uninstall takes them back/],
    early: false,
  },
  {
    name: 'once the API server runs',
    diesAt: (request) => request.path.startsWith('/containers/create?') && request.path.includes('k8s_kube-apiserver'),
    says: [connection, /could not be taken back; they stand in \S+journal\.jsonl/, /hyperup uninstall takes them back/],
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
    const ours = ['io.hyperup.role=kubelet', 'io.hyperup.role=preflight', 'io.kubernetes.pod.name'];
    for (const label of ours) {
      t.equal(await outputOf('docker', ['ps', '-aq', '--filter', `label=${label}`]), '', `no container with ${label}`);
    }
    await hostIsAsBefore(t, 'the machine is as it was');
  });
}
