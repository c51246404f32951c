import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { defaultInstallOptions } from '../../src/index.js';
import { type SyncRequest, syncImages } from '../../src/provision/bundle-sync.js';
import { startFakeRegistry } from '../fakes/fake-registry.js';
import { pushManifest, pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { makeManifestList, makeTinyImage, manifestListType } from '../fixtures/registry-image.js';

t.setTimeout(120_000);

const mirror = await startRegistry();
const folder = await mkdtemp(join(tmpdir(), 'hyperup-sync-'));
t.teardown(async () => {
  await mirror.stop();
  await rm(folder, { recursive: true, force: true });
});
const release = [
  { path: 'hyperkube', tag: 'v1.20.2' },
  { path: 'etcd', tag: '3.4.13-0' },
  { path: 'pause', tag: '3.2' },
];
const pushed = new Map(
  await Promise.all(
    // The last two have all blobs in common.
    [...release, { path: 'library/app', tag: '1' }].map(async ({ path, tag }, index) => {
      const image = await pushTinyImage(mirror.host, path, tag, `sync ${Math.min(index, 2)}`);
      return [path, image.manifest.digest] as const;
    }),
  ),
);

async function startTarget(t: Test) {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  return registry.host;
}

async function sync(to: string, request: Partial<SyncRequest> = {}, others: readonly string[] = []) {
  const mirrors = [mirror.host, `${mirror.host}/{domain}/{path}`, ...others, 'none'];
  const options = defaultInstallOptions({
    cluster: { kubelet: 'hyperkube' },
    images: { mirrors, cacheDir: join(folder, 'cache') },
    // The engine of this machine has the release's real images.
    engineHost: `unix://${folder}/no-engine.sock`,
  });
  const plain = { to, images: [], addons: [], platform: undefined, insecureRegistries: [], ...request };
  return await syncImages(options, plain).result;
}

async function digestAt(host: string, path: string, tag: string): Promise<string | undefined> {
  const { statusCode, headers, body } = await request(`http://${host}/v2/${path}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
  });
  await body.dump();
  return statusCode === 200 ? String(headers['docker-content-digest']) : undefined;
}

t.test('from mirrors straight into a registry, once', async (t) => {
  const target = await startTarget(t);
  const images = ['docker.io/library/app:1'];
  const result = await sync(`docker://${target}/k8s`, { images });
  t.match(result, { release: 'v1.20.2', mirror: `${target}/k8s`, target: `docker://${target}/k8s` });
  t.same(
    result.images.map(({ target: place, digest, changed }) => [place, digest, changed]),
    [...release, { path: 'library/app', tag: '1' }].map(({ path, tag }) => [
      `${target}/k8s/${path}:${tag}`,
      pushed.get(path),
      true,
    ]),
  );
  for (const { path, tag } of release) t.equal(await digestAt(target, `k8s/${path}`, tag), pushed.get(path), path);
  const [, , pause, app] = result.images;
  t.ok((pause?.movedBytes ?? 0) > 0);
  t.equal(app?.movedBytes, 0, 'what another repository has is mounted');
  const again = await sync(`docker://${target}/k8s`, { images });
  t.same(
    again.images.map(({ changed, movedBytes }) => [changed, movedBytes]),
    again.images.map(() => [false, 0]),
  );
  await pushTinyImage(mirror.host, 'library/twin', '1', 'sync 0');
  const more = await sync(`docker://${target}/k8s`, { images: ['docker.io/library/twin:1'] });
  t.match(more.images.at(-1), { changed: true, movedBytes: 0 }, 'an image that was there has its blobs mounted too');
  t.same(await readdir(join(folder, 'cache', 'copy', 'blobs', 'sha256')), [], 'nothing is kept of what is done');
});

t.test('a failure at the last image: none has its name yet, and the next run sends what is missing', async (t) => {
  const target = await startTarget(t);
  const broken = await startFakeRegistry();
  t.teardown(() => broken.close());
  const image = await makeTinyImage('sync broken');
  broken.addImage('team/app', 'v1', image);
  broken.fault = ({ method, url }) =>
    method === 'GET' && url.endsWith(image.layer.digest) ? { kind: 'status', status: 404 } : undefined;
  const images = ['docker.io/team/app:v1'];
  await t.rejects(sync(`docker://${target}`, { images }, [broken.host]), { code: 'ImageUnavailable', message: /404/ });
  for (const { path, tag } of release) t.equal(await digestAt(target, path, tag), undefined, path);
  const result = await sync(`docker://${target}`);
  const moved = result.images.map(({ movedBytes }) => movedBytes);
  t.ok(result.images.every(({ changed }) => changed));
  t.ok(moved.includes(0), `all but those that were on their way then is there: ${moved}`);
});

t.test('an index without anything for this machine ends it before anything moves', async (t) => {
  const target = await startTarget(t);
  const foreign = { architecture: 's390x', image: await makeTinyImage('sync foreign', { architecture: 's390x' }) };
  await pushTinyImage(mirror.host, 'team/app', 'other', 'sync foreign', { architecture: 's390x' });
  await pushManifest(mirror.host, 'team/app', 'v1', manifestListType, makeManifestList([foreign]));
  const images = ['docker.io/team/app:v1'];
  await t.rejects(sync(`docker://${target}`, { images }), { code: 'NotFound', message: /has only linux\/s390x/ });
  const { body } = await request(`http://${target}/v2/_catalog`);
  t.same(await body.json(), { repositories: [] });
});

t.test('what no source has ends it before anything moves', async (t) => {
  const target = await startTarget(t);
  await t.rejects(sync(`docker://${target}`, { images: ['docker.io/team/absent:v1'] }), {
    code: 'ImageUnavailable',
    message: /no source has 1 of them\ndocker\.io\/team\/absent:v1/,
  });
  const { body } = await request(`http://${target}/v2/_catalog`);
  t.same(await body.json(), { repositories: [] });
});

t.test('two images that would get one name', async (t) => {
  const target = await startTarget(t);
  for (const domain of ['quay.io', 'ghcr.io', 'docker.io']) {
    await pushTinyImage(mirror.host, `${domain}/mine/app`, '1', domain === 'docker.io' ? 'another' : 'the same');
  }
  const images = ['quay.io/mine/app:1', 'ghcr.io/mine/app:1'];
  const same = await sync(`docker://${target}`, { images });
  t.equal(same.images.filter(({ target: place }) => place === `${target}/mine/app:1`).length, 2, 'of the same content');
  await t.rejects(sync(`docker://${target}`, { images: [...images, 'docker.io/mine/app:1'] }), {
    code: 'Conflict',
    message: /docker\.io\/mine\/app:1 in the registry: ghcr\.io\/mine\/app:1 would be .* too/,
  });
});
