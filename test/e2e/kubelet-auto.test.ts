import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { releaseFor } from '../../src/release/release-for.js';
import { allUp } from './lifecycle/components.js';
import { jsonLines, runCli } from './support/cli.js';
import {
  cliJson,
  installCluster,
  offline,
  rememberHost,
  removeCluster,
  type StatusView,
  stateDir,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { imageId, setClusterImagesAside } from './support/cluster-images.js';
import { pathWithout } from './support/path-without.js';
import { outputOf, type ProgramResult, runProgram } from './support/program.js';

// tap's own limit for a file is 30 s.
t.setTimeout(600_000);

const hyperkube = 'k8s.gcr.io/hyperkube:v1.20.2';
const testLabel = 'io.hyperup.test=kubelet-auto';
const complaint = 'F1122 00:00:00.000000 this kubelet does not like the engine';

/** The images of the release in which each component has one of its own. */
const componentImages = releaseFor('v1.20.2', 'component')
  .images.map(({ reference }) => reference)
  .filter((reference) => /\/kube-/.test(reference));

interface Note {
  readonly level: string;
  readonly message: string;
  readonly hint?: string;
}

const notesOf = ({ stdout }: ProgramResult) =>
  jsonLines(stdout).filter((line) => line['type'] === 'note') as unknown as Note[];

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

/**
 * Lets a hyperkube image stand in for the real one until the test ends: all its programs are the real ones, only its
 * kubelet ends with a complaint where its command line fits the shell pattern.
 */
async function breakGoKubelet(t: Test, pattern: string): Promise<void> {
  const copies = await setClusterImagesAside(t, [hyperkube]);
  const real = copies.get(hyperkube) ?? '';
  const script = [
    'mv /hyperkube /hyperkube.real',
    'cat > /hyperkube <<"END"',
    '#!/bin/sh',
    `case "$*" in ${pattern}) sleep 0.2; echo "${complaint}" >&2; exit 255;; esac`,
    'exec /hyperkube.real "$@"',
    'END',
    'chmod 755 /hyperkube',
  ].join('\n');
  const made = ['create', '--label', testLabel, '--network', 'none', '--entrypoint', '', real, 'sh', '-c', script];
  const id = (await outputOf('docker', made)).trim();
  try {
    await outputOf('docker', ['start', '--attach', id]);
    await outputOf('docker', ['commit', '--change', 'CMD ["/hyperkube"]', id, hyperkube]);
  } finally {
    await outputOf('docker', ['rm', id]);
  }
  const stranger = (await imageId(hyperkube)) ?? '';
  t.teardown(async () => {
    await removeCluster();
    await runProgram('docker', ['rmi', '--force', stranger]);
  });
}

/** What runs is the built-in kubelet and nothing that a Go kubelet has made. */
async function onlyBuiltinRuns(t: Test): Promise<void> {
  const labelled = async (label: string, format: string) =>
    lines(await outputOf('docker', ['ps', '--all', '--filter', `label=${label}`, '--format', format])).sort();
  const kubelets = await labelled('io.hyperup.cluster', '{{.Names}} {{.Image}}');
  t.equal(kubelets.length, 1, 'one kubelet', { kubelets });
  t.match(kubelets[0], /^hyperup-kubelet hyperup\/kubelet:/);
  const system = 'io.kubernetes.pod.namespace=kube-system';
  const components = (await labelled(system, '{{.Label "io.kubernetes.container.name"}} {{.State}}')).filter(
    (line) => !line.startsWith('POD '),
  );
  const names = ['etcd', 'hyperup-dns', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler'];
  t.same(
    [...new Set(components.filter((line) => line.endsWith(' running')))],
    names.map((name) => `${name} running`),
  );
  const record = JSON.parse(await readFile(join(stateDir, 'cluster.json'), 'utf8')) as object;
  t.match(record, { kubelet: 'builtin', state: 'installed', cluster: { kubelet: 'auto' } });
}

/** A second install, and the verbs that only look. */
async function otherVerbsWork(t: Test, args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const again = await installCluster(args, { env });
  t.equal(again.changed, false, 'a second install changes nothing');
  t.same(notesOf(again.run), [], 'and has nothing to tell');
  t.match(await runCli(['status']), { exitCode: 0, stdout: /is healthy: .*, builtin kubelet/ });
  const verified = await cliJson<StatusView>(['verify']);
  t.equal(verified.exitCode, 0, 'verified');
  t.match(
    verified.line.result.components.find(({ component }) => component === 'smoke'),
    { state: 'up' },
  );
  t.match(await runCli(['logs', 'kubelet', '--tail', '3']), { exitCode: 0, stdout: /\S/ });
}

const failures: readonly { readonly name: string; readonly pattern: string }[] = [
  { name: 'at its start', pattern: 'kubelet*' },
  { name: 'once it has an API server', pattern: 'kubelet*--kubeconfig=*' },
];

for (const { name, pattern } of failures) {
  t.test(`a Go kubelet that ends ${name} gives way to the built-in one`, { timeout: 240_000 }, async (t) => {
    await withoutCluster(t);
    const folder = await temporaryFolder(t);
    await breakGoKubelet(t, pattern);
    const hostIsAsBefore = await rememberHost();
    const args = ['--kubeconfig', join(folder, 'config')];

    const installed = await installCluster(args);
    allUp(t, installed.status);
    t.match(installed.status, { kubelet: 'builtin' });
    const told = notesOf(installed.run).filter(({ message }) => message.includes('the built-in one takes its place'));
    t.equal(told.length, 1, 'it is told once', { notes: notesOf(installed.run) });
    t.match(told[0], { level: 'warn', message: complaint, hint: /--kubelet hyperkube/ }, 'with its last words');
    await onlyBuiltinRuns(t);
    await otherVerbsWork(t, args, {});
    await outputOf('docker', ['rm', '--force', 'hyperup-kubelet']);
    const healed = await installCluster(args);
    t.equal(healed.changed, true, 'install heals a cluster whose kubelet is gone');
    t.notMatch(healed.run.stdout, complaint, 'and does not try the Go kubelet again');
    allUp(t, healed.status);

    await removeCluster();
    await hostIsAsBefore(t, 'the host is as before');
    if (pattern !== 'kubelet*') return;
    const insisted = await cliJson(['install', ...offline, ...args, '--kubelet', 'hyperkube']);
    t.equal(insisted.exitCode, 1, 'one who insists on the Go kubelet gets its failure');
    t.match(insisted.line.error, { code: 'Unhealthy', message: /start the kubelet/, output: complaint });
    await hostIsAsBefore(t, 'and the host as it was');
  });
}

t.test('without a hyperkube image each component has its own', { timeout: 240_000 }, async (t) => {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const copies = await setClusterImagesAside(t, [hyperkube]);
  for (const reference of componentImages)
    t.equal(await imageId(reference), undefined, `${reference} is the test's to make`);
  t.teardown(async () => {
    for (const reference of componentImages) await runProgram('docker', ['rmi', reference]);
  });
  // The programs answer to the names that they are called by in images of their own, too.
  for (const reference of componentImages) await outputOf('docker', ['tag', copies.get(hyperkube) ?? '', reference]);
  const hostIsAsBefore = await rememberHost();
  const args = ['--kubeconfig', join(folder, 'config')];
  const bare = { PATH: await pathWithout('kubectl', folder) };

  const installed = await installCluster(args, { env: bare });
  allUp(t, installed.status);
  t.match(installed.status, { kubelet: 'builtin' });
  t.equal(installed.kubectl, undefined, 'no image has kubectl');
  const notes = notesOf(installed.run).map(({ message, hint = '' }) => `${message} ${hint}`);
  t.match(notes.join('\n'), /no source has k8s\.gcr\.io\/hyperkube:v1\.20\.2: hyperup tries .* the built-in kubelet/);
  t.match(notes.join('\n'), /no kubectl.*Any kubectl of about v1\.20\.2 will do/);
  await onlyBuiltinRuns(t);
  const manifest = await readFile('/etc/kubernetes/manifests/kube-apiserver.yaml', 'utf8');
  t.match(manifest, 'image: k8s.gcr.io/kube-apiserver:v1.20.2');
  await otherVerbsWork(t, args, bare);
  await removeCluster();
  await hostIsAsBefore(t, 'the host is as before');

  await outputOf('docker', ['rmi', 'k8s.gcr.io/kube-scheduler:v1.20.2']);
  const failed = await cliJson(['install', ...offline, ...args]);
  t.equal(failed.exitCode, 1);
  t.match(failed.line.error, { code: 'ImageUnavailable' });
  for (const reference of [hyperkube, 'k8s.gcr.io/kube-scheduler:v1.20.2']) {
    t.match(failed.line.error?.message, reference, `${reference} is named`);
  }
  await hostIsAsBefore(t, 'nothing is left of the try');
});
