/** Bundles between a real engine, real registries and skopeo. */
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { pack } from 'tar-stream';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { connectEngine } from '../../src/docker/connect.js';
import { openStage } from '../../src/mirror/bundle/blob-stage.js';
import type { BundledImage, BundleManifest } from '../../src/mirror/bundle/bundle-format.js';
import { openSink } from '../../src/mirror/bundle/chunks.js';
import { type CollectedImage, collectArchive } from '../../src/mirror/bundle/collect-archive.js';
import { collectFromRegistry } from '../../src/mirror/bundle/collect-registry.js';
import { loadIntoEngine } from '../../src/mirror/bundle/load-engine.js';
import { openBundle } from '../../src/mirror/bundle/open-bundle.js';
import { parseRegistryTarget, pushToRegistry } from '../../src/mirror/bundle/push-registry.js';
import { serveBundle } from '../../src/mirror/bundle/serve.js';
import { writeBundle } from '../../src/mirror/bundle/write-bundle.js';
import { createBlobFetcher } from '../../src/mirror/fetch/blob-fetcher.js';
import { parseMirrors } from '../../src/mirror/mirror-spec.js';
import { type Serving, serveImages } from '../../src/provision/bundle-verbs.js';
import { createRegistryClients } from '../../src/registry/clients.js';
import { pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { hostArchitecture } from '../fixtures/registry-image.js';

const run = promisify(execFile);
/** A name that no other test uses. */
const repository = `bundle-test.invalid/run-${process.pid}`;
const engine = await connectEngine({ env: process.env });
const registry = await startRegistry();
const clients = createRegistryClients({
  proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
  extraCas: [],
  isInsecure: () => false,
  credentials: { find: async () => undefined },
  connectTimeoutMs: 5_000,
  silenceMs: 5_000,
});
t.teardown(async () => {
  await clients.close();
  await registry.stop();
  engine.close();
});

/** A file's worth of text as a root file system. */
async function layerTar(text: string) {
  const tar = pack();
  tar.entry({ name: 'content.txt', mtime: new Date(0) }, text.repeat(20_000));
  tar.finalize();
  return tar;
}

async function makeImage(name: string, text: string): Promise<string> {
  const reference = `${repository}/${name}:v1`;
  await engine.importImage(Readable.from(await layerTar(text)), reference, ['LABEL io.hyperup.test=true']);
  return reference;
}

async function dropImages(): Promise<void> {
  for (const { tags } of await engine.listImages()) {
    for (const tag of tags.filter((name) => name.startsWith(repository)))
      await engine.removeImage(tag, { force: true });
  }
}

t.afterEach(dropImages);

function bundled(reference: string, { manifest, config, oci, layers }: CollectedImage): BundledImage {
  return { name: reference, reference, role: 'user', manifest, config, ...(oci ? { oci } : {}), layers: [...layers] };
}

/** A bundle of images that lie in a stage. */
async function writeFrom(
  path: string,
  images: readonly BundledImage[],
  stage: Awaited<ReturnType<typeof openStage>>,
  left: readonly string[] = [],
): Promise<void> {
  const all = images.flatMap(({ manifest, config, oci, layers }) => [
    manifest,
    config,
    ...(oci ? [oci] : []),
    ...layers,
  ]);
  const blobs = [...new Map(all.map(({ digest, size }) => [digest, { digest, size }])).values()];
  const base = {
    name: 'first.tar',
    digest: `sha256:${'0'.repeat(64)}`,
    blobs: blobs.filter(({ digest }) => left.includes(digest)),
  };
  const manifest: BundleManifest = {
    format: 1,
    createdBy: 'test',
    release: 'v1.20.2',
    platform: { os: 'linux', architecture: hostArchitecture() },
    images: [...images],
    blobs: blobs.filter(({ digest }) => !left.includes(digest)),
    ...(left.length === 0 ? {} : { base }),
  };
  await writeBundle({ manifest, openBlob: (digest) => stage.open(digest) }, openSink(path, undefined));
}

/** Two images of the engine in a bundle; the engine has them no longer. */
async function engineBundle(t: Test, compress = false) {
  const dir = t.testdir();
  const references = [await makeImage('one', `one ${t.name}`), await makeImage('two', `two ${t.name}`)];
  const ids = await Promise.all(references.map(async (reference) => (await engine.inspectImage(reference))?.id));
  const stage = await openStage(join(dir, 'stage'));
  const found = await collectArchive(await engine.saveImages(references), stage, { gzip: compress });
  const images = references.flatMap((reference) =>
    found.filter(({ tags }) => tags.includes(reference)).map((image) => bundled(reference, image)),
  );
  const path = join(dir, 'b.tar');
  await writeFrom(path, images, stage);
  await dropImages();
  return { dir, path, references, ids, stage, images };
}

for (const compress of [false, true]) {
  t.test(`out of the engine and into it again${compress ? ', compressed' : ''}`, async (t) => {
    const { path, references, ids } = await engineBundle(t, compress);
    const bundle = await openBundle(path);
    t.teardown(() => bundle.close());
    await loadIntoEngine({ bundle, engine, images: bundle.manifest.images });
    const back = await Promise.all(references.map(async (reference) => (await engine.inspectImage(reference))?.id));
    t.same(back, ids, 'the very same images');
  });
}

t.test('skopeo reads a bundle as an OCI archive', async (t) => {
  const { dir, path, references, images } = await engineBundle(t);
  for (const [index, reference] of references.entries()) {
    const { stdout } = await run('skopeo', ['inspect', `oci-archive:${path}:${reference}`]);
    t.equal((JSON.parse(stdout) as { Digest: string }).Digest, images[index]?.manifest.digest, reference);
    await run('skopeo', ['copy', '-q', `oci-archive:${path}:${reference}`, `oci:${dir}/layout:${index}`]);
  }
});

t.test('a blob that lies: nothing of the bundle gets into the engine', async (t) => {
  const { path, references, images } = await engineBundle(t);
  const bytes = await readFile(path);
  const at = bytes.lastIndexOf('two ');
  bytes[at] = 0x78;
  await writeFile(path, bytes);
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  t.equal(images.length, 2);
  await t.rejects(loadIntoEngine({ bundle, engine, images: bundle.manifest.images }), { code: 'DigestMismatch' });
  for (const reference of references) t.equal(await engine.inspectImage(reference), undefined);
});

t.test('a delta goes upon its base and upon nothing else', async (t) => {
  const { dir, path, images, stage, references } = await engineBundle(t);
  const left = images.flatMap(({ layers }) => layers.map(({ digest }) => digest)).slice(0, 1);
  const delta = join(dir, 'delta.tar');
  await writeFrom(delta, images, stage, left);
  const bundle = await openBundle(delta);
  const whole = await openBundle(path);
  t.teardown(async () => {
    await bundle.close();
    await whole.close();
  });
  const load = () => loadIntoEngine({ bundle, engine, images: bundle.manifest.images });
  await t.rejects(load(), { code: 'NotFound', message: /delta/ });
  t.equal(await engine.inspectImage(references[1] ?? ''), undefined, 'not even the image that needs no base');
  await loadIntoEngine({ bundle: whole, engine, images: whole.manifest.images.slice(0, 1) });
  await load();
  t.ok(await engine.inspectImage(references[1] ?? ''));
});

t.test('into a registry, which needs only what it lacks', async (t) => {
  const { path, images } = await engineBundle(t, true);
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  const target = parseRegistryTarget(`docker://${registry.host}/team/k8s`);
  const push = () =>
    pushToRegistry({ bundle, images: bundle.manifest.images, target, client: clients.clientFor(target.host) });
  const first = await push();
  t.ok(first.every(({ changed, movedBytes }) => changed && movedBytes > 0));
  t.ok(
    (await push()).every(({ changed, movedBytes }) => !changed && movedBytes === 0),
    'again: nothing moves',
  );
  for (const [index, { target: place }] of first.entries()) {
    const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', `docker://${place}`]);
    t.equal((JSON.parse(stdout) as { Digest: string }).Digest, images[index]?.manifest.digest, place);
  }
});

t.test('a mirror’s image keeps its digest in a bundle', async (t) => {
  const dir = t.testdir();
  const pushed = await pushTinyImage(registry.host, 'k8s/tiny', 'v1', `tiny ${process.pid}`);
  const stage = await openStage(join(dir, 'stage'));
  const image = await collectFromRegistry('canonical.invalid/tiny:v1', {
    mirrors: parseMirrors([`${registry.host}/k8s`, 'none']),
    clients,
    fetcher: createBlobFetcher({ clock: systemClock, logger: silentLogger }),
    stage,
    platform: { os: 'linux', architecture: hostArchitecture() },
    emit: () => {},
  });
  t.equal(image.manifest.digest, pushed.manifest.digest);
  const path = join(dir, 'b.tar');
  await writeFrom(path, [bundled('canonical.invalid/tiny:v1', image)], stage);
  const { stdout } = await run('skopeo', [
    'inspect',
    '--config',
    '--raw',
    `oci-archive:${path}:canonical.invalid/tiny:v1`,
  ]);
  t.same(
    JSON.parse(stdout),
    JSON.parse(pushed.config.bytes.toString()),
    'skopeo reads it, though it is of Docker’s type',
  );
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  t.same(bundle.document(pushed.manifest.digest), pushed.manifest.bytes, 'and the manifest itself is there');
});

t.test('served: skopeo and the engine pull from it', async (t) => {
  const { dir, path, references, images, ids } = await engineBundle(t);
  const bundle = await openBundle(path);
  const server = await serveBundle({ bundle, host: '127.0.0.1', port: 0, tls: undefined, logger: silentLogger });
  t.teardown(async () => {
    await server.close();
    await bundle.close();
  });
  const name = (references[0] ?? '').replace(/^[^/]*\//, '');
  const at = `127.0.0.1:${server.port}/${name}`;
  await run('skopeo', [
    'copy',
    '-q',
    '--preserve-digests',
    '--src-tls-verify=false',
    `docker://${at}`,
    `oci:${dir}/pulled:x`,
  ]);
  const { stdout } = await run('skopeo', ['inspect', `oci:${dir}/pulled:x`]);
  t.equal((JSON.parse(stdout) as { Digest: string }).Digest, images[0]?.manifest.digest);
  await engine.pullImage(at);
  t.equal((await engine.inspectImage(at))?.id, ids[0], 'docker pull gives the image that was saved');
  await engine.removeImage(at, { force: true });
  await t.rejects(
    run('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${dir}/pulled:x`, `docker://${at}-new`]),
    {
      message: /./,
    },
  );
});

t.test('served with TLS: whoever trusts its authority pulls from it', async (t) => {
  const { dir, path, references, images } = await engineBundle(t);
  const stop = new AbortController();
  const options = {
    images: {
      mirrors: [],
      lock: undefined,
      bundle: undefined,
      build: false,
      cacheDir: dir,
      stallMs: 5_000,
      debianMirror: undefined,
    },
  };
  const request = { file: path, listen: '127.0.0.1:0', tlsCert: undefined, tlsKey: undefined, plain: false };
  let operation: ReturnType<typeof serveImages> | undefined;
  const { port, caPath, fingerprint } = await new Promise<Serving>((resolve, reject) => {
    operation = serveImages(options, { ...request, onServing: resolve }, { signal: stop.signal });
    operation.result.catch(reject);
  });
  t.match(fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  const certs = join(dir, 'certs');
  await run('mkdir', [certs]);
  const name = (references[0] ?? '').replace(/^[^/]*\//, '');
  const at = `docker://127.0.0.1:${port}/${name}`;
  await t.rejects(
    run('skopeo', ['inspect', '--cert-dir', certs, at]),
    { message: /certificate|x509/ },
    'not trusted yet',
  );
  await run('cp', [caPath ?? '', join(certs, 'ca.crt')]);
  const { stdout } = await run('skopeo', ['inspect', '--cert-dir', certs, at]);
  t.equal((JSON.parse(stdout) as { Digest: string }).Digest, images[0]?.manifest.digest);
  stop.abort();
  t.same(await operation?.result, { served: path }, 'an interruption is its proper end');
  await rm(certs, { recursive: true });
});
