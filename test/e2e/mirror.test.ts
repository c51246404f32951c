import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type FaultRegistry, type RegistryFault, startFaultRegistry } from '../fakes/fault-registry.js';
import { pushImage, startRegistry, type TestRegistry } from '../fixtures/registry.js';
import { jsonLines } from './support/cli.js';
import {
  cliJson,
  type InstallView,
  rememberHost,
  removeCluster,
  temporaryFolder,
  withoutCluster,
} from './support/cluster.js';
import { clusterImages, imageId, imageNames, setClusterImagesAside } from './support/cluster-images.js';
import { describeFailure } from './support/program.js';

// tap's own limit for a file is 30 s.
t.setTimeout(420_000);

const mirrorPath = 'mirror/google_containers';

/** What is wrong with each mirror before the good one, and what hyperup must say of it. */
const faults: readonly { readonly fault: RegistryFault; readonly says: RegExp }[] = [
  { fault: 'refuses', says: /refused the connection/ },
  { fault: 'unavailable', says: /HTTP 503/ },
  { fault: 'hangs', says: /no answer within 5 s/ },
  { fault: 'wrong-digest', says: /want sha256:0{64} as the registry says/ },
];

interface Note {
  readonly type: 'note';
  readonly level: string;
  readonly message: string;
}

const notesOf = (stdout: string) => jsonLines(stdout).filter((line) => line['type'] === 'note') as unknown as Note[];

/** Where the image of that canonical name lies on a mirror of another path. */
const mirrored = (host: string, reference: string) => `${host}/${mirrorPath}/${reference.replace(/^.*\//, '')}`;

async function startFaults(t: Test): Promise<readonly FaultRegistry[]> {
  const registries = await Promise.all(faults.map(({ fault }) => startFaultRegistry(fault)));
  t.teardown(() => Promise.all(registries.map((registry) => registry.close())));
  return registries;
}

async function startGoodMirror(t: Test, copies: ReadonlyMap<string, string>): Promise<TestRegistry> {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  for (const [reference, copy] of copies) await pushImage(copy, mirrored(registry.host, reference));
  return registry;
}

const mirrorFlags = (hosts: readonly string[]) => [...hosts, 'none'].flatMap((mirror) => ['--mirror', mirror]);

t.test('the install comes through the last good mirror', { timeout: 300_000 }, async (t) => {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  const copies = await setClusterImagesAside(t);
  const bad = await startFaults(t);
  const good = await startGoodMirror(t, copies);
  const before = await imageNames();
  t.notOk(
    before.some((name) => name.startsWith(good.host) || name.startsWith('k8s.gcr.io/')),
    'the engine has none of the images, under no name that hyperup knows',
  );
  const hostIsAsBefore = await rememberHost();
  const kubeconfig = join(folder, 'config');

  const mirrors = mirrorFlags([...bad.map(({ host }) => `${host}/${mirrorPath}`), `${good.host}/${mirrorPath}`]);
  // A cache of the test's own: what is purged in the end is not the user's.
  const own = { env: { HYPERUP_CACHE_DIR: join(folder, 'cache') } };
  const install = await cliJson<InstallView>(['install', '--no-build', '--kubeconfig', kubeconfig, ...mirrors], own);
  t.equal(install.exitCode, 0, 'installed', { said: describeFailure(install.run) });
  t.match(install.line.result, { changed: true, status: { healthy: true } }, 'a cluster that is verified');
  await t.test('each mirror that was passed over is told with the reason', async (t) =>
    reasonsAreTold(t, install.run.stdout, bad),
  );
  await t.test('the time that the bad ones cost is bounded', async (t) => {
    const step = jsonLines(install.run.stdout).find((line) => line['step'] === 'images' && line['state'] === 'done');
    // One hangs: 5 s, once for all images.
    t.ok(Number(step?.['elapsedMs']) < 25_000, `images in ${Number(step?.['elapsedMs'])} ms`);
    t.equal(bad[2]?.requests.length, 1, 'the one that hangs is asked once');
  });
  for (const { name, reference } of clusterImages) {
    t.equal(await imageId(reference), await imageId(copies.get(reference) ?? ''), `${name} is the image of the mirror`);
    t.equal(await imageId(mirrored(good.host, reference)), undefined, `${name}: the mirror's name is gone`);
  }
  const verify = await cliJson(['verify']);
  t.equal(verify.exitCode, 0, 'verified once more', { said: describeFailure(verify.run) });

  await removeCluster(['--purge-images']);
  t.same(await imageNames(), before, 'the images that came for the cluster went with it, and no others');
  await hostIsAsBefore(t, 'the machine is as it was');
});

function reasonsAreTold(t: Test, stdout: string, bad: readonly FaultRegistry[]): void {
  const notes = notesOf(stdout).map(({ message }) => message);
  for (const { name } of clusterImages) {
    for (const [index, { fault, says }] of faults.entries()) {
      const host = bad[index]?.host ?? '';
      const told = notes.filter((message) => message.startsWith(`${name}: mirror ${host}/`));
      t.ok(told.length > 0, `${name}: ${fault} is named`);
      t.ok(
        told.some((message) => says.test(message)),
        `${name}: ${fault}: the reason is given`,
        { told },
      );
    }
  }
}

t.test('where every mirror is bad, nothing is left of the try', { timeout: 120_000 }, async (t) => {
  await withoutCluster(t);
  const folder = await temporaryFolder(t);
  await setClusterImagesAside(t);
  const bad = await startFaults(t);
  const before = await imageNames();
  const hostIsAsBefore = await rememberHost();
  const kubeconfig = join(folder, 'config');

  const mirrors = mirrorFlags(bad.map(({ host }) => `${host}/${mirrorPath}`));
  const { exitCode, run, line } = await cliJson(['install', '--no-build', '--kubeconfig', kubeconfig, ...mirrors]);
  t.equal(exitCode, 1, 'failed', { said: describeFailure(run) });
  t.equal(line.error?.code, 'ImageUnavailable');
  const message = line.error?.message ?? '';
  for (const { name, reference } of clusterImages) {
    const block = message.split(/^(?=\S)/m).find((part) => part.startsWith(`${name} (${reference})`)) ?? '';
    const lines = block.split('\n');
    for (const [index, { fault, says }] of faults.entries()) {
      const source = `mirror ${bad[index]?.host}/${mirrorPath}/`;
      t.ok(
        lines.some((text) => text.includes(source) && says.test(text)),
        `${name}: ${fault} is listed with the reason`,
        { block },
      );
    }
  }
  t.match(line.error, { hint: /--mirror.*--no-build.*docker load/ }, 'what to do is said');
  t.ok(run.elapsedMs < 40_000, `bounded: ${Math.round(run.elapsedMs)} ms`);
  t.same(await imageNames(), before, 'no image came or went');
  await hostIsAsBefore(t, 'the machine is as it was');
});
