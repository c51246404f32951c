import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import { type ImportRequest, importImages, planImport } from '../../src/provision/import-images.js';
import { pushManifest, pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { makeManifestList, manifestListType } from '../fixtures/registry-image.js';

const exec = promisify(execFile);
/** Names that no other test uses, so that nothing of anybody's is in the way. */
const own = `test.hyperup.invalid/import-${process.pid}`;
const engine = await connectEngine({ env: process.env });
const registry = await startRegistry();
const folder = await mkdtemp(join(tmpdir(), 'hyperup-import-'));
t.teardown(async () => {
  await registry.stop();
  engine.close();
  await rm(folder, { recursive: true, force: true });
});

const path = own.slice(own.indexOf('/') + 1);

async function namesOfRun(): Promise<readonly string[]> {
  const images = await engine.listImages();
  return images.flatMap(({ tags, digests }) => [...tags, ...digests]).filter((name) => name.includes(path));
}

t.afterEach(async () => {
  for (const name of await namesOfRun()) await engine.removeImage(name);
});

const options = (mirrors: readonly string[], lock?: string) => ({
  engineHost: undefined,
  images: {
    mirrors: [...mirrors, 'none'],
    lock,
    bundle: undefined,
    build: true,
    cacheDir: join(folder, 'cache'),
    stallMs: 20_000,
    debianMirror: undefined,
  },
});

async function bring(images: readonly string[], more: { platform?: string; lock?: string; mirrors?: string[] } = {}) {
  const request: ImportRequest = { images, platform: more.platform };
  return await importImages(options(more.mirrors ?? [registry.host], more.lock), request).result;
}

t.test('images come under their own names, once', async (t) => {
  const pushed = await pushTinyImage(registry.host, `${path}/app`, 'v1', `${own} app`);
  await pushTinyImage(registry.host, `${path}/tool`, 'latest', `${own} tool`);
  const words = [`${own}/app:v1`, `${own}/tool`, `docker://${own}/app:v1`];
  const plan = await planImport(options([registry.host]), { images: words, platform: undefined });
  t.match(plan, [
    { reference: `${own}/app:v1`, source: 'mirror', detail: `mirror ${registry.host}/${path}/app:v1` },
    { reference: `${own}/tool:latest`, source: 'mirror' },
  ]);
  t.equal(plan.length, 2, 'each image once');
  t.same(await namesOfRun(), [], 'a plan brings nothing');

  const brought = await bring(words);
  t.match(brought, [
    { reference: `${own}/app:v1`, id: pushed.config.digest, changed: true, from: new RegExp(registry.host) },
    { reference: `${own}/tool:latest`, changed: true },
  ]);
  t.same([...(await namesOfRun())].sort(), [`${own}/app:v1`, `${own}/tool:latest`], 'and no other name');
  t.ok(
    (await bring(words)).every(({ changed }) => !changed),
    'the second run changes nothing',
  );
});

t.test('what no source has is told by source; the others have come', async (t) => {
  await pushTinyImage(registry.host, `${path}/app`, 'v1', `${own} app`);
  const words = [`${own}/app:v1`, `${own}/nowhere:v1`];
  const error = await bring(words, { mirrors: ['127.0.0.1:1', registry.host] }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  t.match(error, {
    code: 'ImageUnavailable',
    message: new RegExp(`127\\.0\\.0\\.1:1/.*refused[^]*${registry.host}/${path}/nowhere:v1: failed`),
  });
  t.same(await namesOfRun(), [`${own}/app:v1`]);
});

t.test('a digest beside the tag is held to, and one alone is refused', async (t) => {
  const pushed = await pushTinyImage(registry.host, `${path}/app`, 'v1', `${own} app`);
  const wrong = `sha256:${'0'.repeat(64)}`;
  await t.rejects(bring([`${own}/app:v1@${wrong}`]), { code: 'ImageUnavailable' });
  t.same(await namesOfRun(), []);
  t.match(await bring([`${own}/app:v1@${pushed.manifest.digest}`]), [{ reference: `${own}/app:v1`, changed: true }]);
  await t.rejects(bring([`${own}/app@${pushed.manifest.digest}`]), { code: 'Usage', hint: /NAME:TAG@DIGEST/ });
});

t.test('a lock that does not name an image keeps it out', async (t) => {
  await pushTinyImage(registry.host, `${path}/app`, 'v1', `${own} app`);
  const lock = join(folder, 'hyperup.lock');
  await writeFile(lock, JSON.stringify({ version: 1, images: {} }));
  await t.rejects(bring([`${own}/app:v1`], { lock }), { code: 'ImageUnavailable', message: /lock: .*not name/ });
  t.same(await namesOfRun(), []);
});

t.test('another machine’s image comes only where it is asked for', async (t) => {
  const image = await pushTinyImage(registry.host, `${path}/list`, 'arm', `${own} arm`, { architecture: 'arm64' });
  await pushTinyImage(registry.host, `${path}/list`, 's390x', `${own} s390x`, { architecture: 's390x' });
  const list = makeManifestList([{ architecture: 'arm64', image }]);
  await pushManifest(registry.host, `${path}/list`, 'v1', manifestListType, list);
  await t.rejects(bring([`${own}/list:v1`]), { code: 'ImageUnavailable', message: /linux\/arm64/ });
  const [brought] = await bring([`${own}/list:v1`], { platform: 'linux/arm64' });
  t.equal(brought?.id, image.config.digest);
  for (const platform of ['windows/amd64', 'linux/arm/v7', 'amd64']) {
    await t.rejects(bring([`${own}/list:v1`], { platform }), { code: 'Usage' }, platform);
  }
});

t.test('files of docker save and of OCI layouts', async (t) => {
  await pushTinyImage(registry.host, `${path}/app`, 'v1', `${own} app`);
  await pushTinyImage(registry.host, `${path}/tool`, 'v1', `${own} tool`);
  const [app, tool] = await bring([`${own}/app:v1`, `${own}/tool:v1`]);
  await engine.tagImage(`${own}/app:v1`, `${own}/app:stable`);
  const docker = join(folder, 'saved.tar');
  const oci = join(folder, 'layout.tar');
  const nameless = join(folder, 'nameless.tar');
  await exec('docker', ['save', '-o', docker, `${own}/app:v1`, `${own}/app:stable`, `${own}/tool:v1`]);
  const from = `docker://${registry.host}/${path}/app:v1`;
  await exec('skopeo', ['copy', '-q', '--src-tls-verify=false', from, `oci-archive:${oci}:${own}/oci:v1`]);
  await exec('skopeo', ['copy', '-q', '--src-tls-verify=false', from, `oci-archive:${nameless}:v1`]);
  for (const name of await namesOfRun()) await engine.removeImage(name);

  const plan = await planImport(options([]), { images: [docker], platform: undefined });
  t.same(plan.map(({ reference, source }) => `${source} ${reference}`).sort(), [
    `file ${own}/app:stable`,
    `file ${own}/app:v1`,
    `file ${own}/tool:v1`,
  ]);
  const brought = await bring([docker]);
  t.same(brought.map(({ id }) => id).sort(), [app?.id, tool?.id].sort());
  t.same([...(await namesOfRun())].sort(), [`${own}/app:stable`, `${own}/app:v1`, `${own}/tool:v1`]);
  t.match(await bring([`oci-archive:${oci}:${own}/oci:v1`]), [{ reference: `${own}/oci:v1`, changed: true }]);
  await t.rejects(bring([nameless]), { code: 'InvalidConfig', hint: /images copy oci-archive:/ });
  await t.rejects(bring([`docker-archive:${docker}:${own}/none:v1`]), { code: 'NotFound', message: /app:v1/ });
  await t.rejects(bring([join(folder, 'absent.tar')]), { code: 'NotFound' });
  await t.rejects(bring([docker], { platform: 'linux/arm64' }), { code: 'Conflict', message: /want arm64/ });
});
