import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { ignoreProgress } from '../../src/base/progress.js';
import { connectEngine } from '../../src/docker/connect.js';
import { imageArchitecture } from '../../src/mirror/engine-view.js';
import { mergeLocks, readLockFile, writeLockFile } from '../../src/mirror/lock/lock-file.js';
import { lockImages } from '../../src/mirror/lock/lock-images.js';
import type { ImageLock } from '../../src/mirror/lock/types.js';
import { verifyLock } from '../../src/mirror/lock/verify-lock.js';
import { obtainImages } from '../../src/mirror/obtain.js';
import { surveyMirrors } from '../../src/mirror/survey-mirrors/survey-mirrors.js';
import { startFaultRegistry } from '../fakes/fault-registry.js';
import { startFaultProxy } from '../faults/fault-proxy.js';
import { pushManifest, pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { makeManifestList, manifestListType } from '../fixtures/registry-image.js';
import { makeImageTools } from './image-tools.js';

t.setTimeout(240_000);

/** Names that no other test uses. */
const run = `lock-test-${process.pid}`;
const engine = await connectEngine({ env: process.env });
const engineInfo = await engine.info();
const architecture = imageArchitecture(engineInfo.architecture);
const [upstream, mirror] = await Promise.all([startRegistry(), startRegistry()]);
const folder = await mkdtemp(join(tmpdir(), 'hyperup-lock-'));
const tools = await makeImageTools(engine);
t.teardown(async () => {
  await tools.close();
  await Promise.all([upstream.stop(), mirror.stop()]);
  await rm(folder, { recursive: true, force: true });
  engine.close();
});
t.afterEach(async () => {
  const images = await engine.listImages();
  const names = images.flatMap((each) => [...each.tags, ...each.digests]).filter((name) => name.includes(run));
  for (const name of names) await engine.removeImage(name);
});

/** Like what upstream has, under the path that a mirror has it. */
const at = (host: string, name: string) => `${host}/${run}/${name}:v1`;

function lockAll(names: readonly string[], platforms: 'all' | undefined = undefined) {
  return lockImages({
    images: names.map((name) => ({ name, reference: at(upstream.host, name) })),
    mirrors: [mirror.host],
    platforms: platforms ?? [{ os: 'linux', architecture }],
    ...tools,
    emit: ignoreProgress,
    clock: systemClock,
  });
}

function obtain(name: string, mirrors: readonly string[], lock: ImageLock | undefined) {
  return obtainImages({
    engine,
    engineInfo,
    release: { images: [{ name, reference: at(upstream.host, name) }] },
    options: { mirrors, build: false, stallMs: 20_000 },
    lock,
    ...tools,
    emit: ignoreProgress,
    logger: silentLogger,
    clock: systemClock,
    onTag: async () => {},
  });
}

async function makeLock(names: readonly string[]): Promise<ImageLock> {
  const path = join(folder, `${names.join('-')}.lock`);
  const locked = await lockAll(names, 'all');
  const added = Object.fromEntries(locked.flatMap(({ reference, entry }) => (entry ? [[reference, entry]] : [])));
  await writeLockFile(path, mergeLocks(undefined, added, { prune: false }).lock);
  return await readLockFile(path);
}

t.test('with a lock any mirror is safe', async (t) => {
  const right = await pushTinyImage(upstream.host, `${run}/etcd`, 'v1', `${run} right`);
  await pushTinyImage(mirror.host, `${run}/etcd`, 'v1', `${run} right`);
  const lock = await makeLock(['etcd']);
  const moved = await pushTinyImage(mirror.host, `${run}/etcd`, 'v1', `${run} wrong`);
  const liar = await startRegistry();
  t.teardown(() => liar.stop());
  await pushTinyImage(liar.host, `${run}/etcd`, 'v1', `${run} wrong`);

  const [got] = await obtain('etcd', [liar.host, mirror.host, 'none'], lock);
  t.match(got?.reports.slice(1), [
    {
      outcome: 'failed',
      code: 'DigestMismatch',
      reason: new RegExp(`has ${moved.manifest.digest} .*want ${right.manifest.digest} as the lock says`),
    },
    { outcome: 'failed' },
    { outcome: 'served' },
  ]);
  t.equal(got?.id, right.config.digest, 'the mirror whose tag moved on still has what the lock names');

  const verified = await verifyLock({ lock, engine, remote: { mirrors: [mirror.host], probe: tools.probe } });
  t.match(verified, [
    {
      findings: [
        { place: 'engine', state: 'same' },
        { place: at(mirror.host, 'etcd'), state: 'differs', detail: moved.manifest.digest },
        { place: at(upstream.host, 'etcd'), state: 'same' },
      ],
    },
  ]);
  const again = await obtain('etcd', ['none'], lock);
  t.match(again, [{ changed: false }], 'known by its id, without any registry');

  await engine.removeImage(at(upstream.host, 'etcd'));
  const foreign = await obtain('etcd', [mirror.host], undefined);
  t.equal(foreign[0]?.id, moved.config.digest, 'without a lock the user trusts the first mirror');
  t.match(
    await obtain('etcd', ['upstream'], lock),
    [{ id: right.config.digest, changed: true }],
    'a lock puts it right',
  );
});

t.test('an index is locked for all its platforms, and its image is the one for this engine', async (t) => {
  const other = architecture === 'arm64' ? 'amd64' : 'arm64';
  const path = `${run}/list`;
  const [own, strange] = [
    await pushTinyImage(upstream.host, path, 'own', `${run} own`),
    await pushTinyImage(upstream.host, path, 'strange', `${run} strange`, { architecture: other }),
  ];
  const list = makeManifestList([
    { architecture, image: own },
    { architecture: other, image: strange },
  ]);
  await pushManifest(upstream.host, path, 'v1', manifestListType, list);
  const lock = await makeLock(['list']);
  const entry = lock.images[at(upstream.host, 'list')];
  t.equal(entry?.digest, list.digest);
  t.same(Object.keys(entry?.platforms ?? {}).toSorted(), [`linux/amd64`, `linux/arm64`]);
  // A mirror of which only one platform was copied, under the same digest.
  await pushTinyImage(mirror.host, path, 'v1', `${run} own`);
  const [got] = await obtain('list', [mirror.host, 'none'], lock);
  t.equal(got?.id, own.config.digest);
  t.equal(got?.source.kind, 'mirror');
});

t.test('mirrors are tested', async (t) => {
  await pushTinyImage(upstream.host, `${run}/seen`, 'v1', `${run} seen`);
  const [page, gone] = await Promise.all([startFaultRegistry('web-page'), startFaultRegistry('refuses')]);
  t.teardown(() => Promise.all([page.close(), gone.close()]));
  const survey = await surveyMirrors({
    images: [{ name: 'seen', reference: at(upstream.host, 'seen') }],
    mirrors: [gone.host, page.host, mirror.host],
    ...tools,
    lookUp: async () => [],
    architecture,
    clock: systemClock,
  });
  t.match(
    survey.mirrors.map(({ word, fault }) => [word, fault?.kind]),
    [
      ['upstream', undefined],
      [mirror.host, 'notFound'],
    ],
  );
  t.same(
    survey.mirrors
      .slice(2)
      .map(({ fault }) => fault?.kind)
      .toSorted(),
    ['notRegistry', 'refused'],
  );
  t.ok((survey.mirrors[0]?.bytesPerSecond ?? 0) > 0);
});

t.test('two mirrors share the layers, and what a killed run had is not fetched again', async (t) => {
  const text = randomBytes(30e6).toString('base64');
  const content = await pushTinyImage(upstream.host, `${run}/large`, 'v1', text);
  const size = content.layer.bytes.length;
  const held = { target: upstream.host, connectionBytesPerSecond: 4e6 };
  const [a, b] = await Promise.all([startFaultProxy(held), startFaultProxy(held)]);
  t.teardown(() => Promise.all([a.stop(), b.stop()]));
  const moved = () => a.blobBytes + b.blobBytes;
  const blobsDir = join(folder, 'blobs');
  const reference = `canonical.invalid/${run}/large:v1`;
  const start = () =>
    spawn(
      process.execPath,
      [fileURLToPath(new URL('./obtain-child.js', import.meta.url)), reference, `${a.host},${b.host},none`, blobsDir],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
  const first = start();
  const killed = ended(first);
  while (moved() < size / 2 && first.exitCode === null) await delay(10);
  first.kill('SIGKILL');
  t.equal(await killed, null);
  t.equal(await engine.inspectImage(reference), undefined, 'nothing is half there');
  t.ok(a.blobBytes > 1e6 && b.blobBytes > 1e6, `both serve: ${a.blobBytes} and ${b.blobBytes} bytes`);

  const missing = size - moved();
  const before = moved();
  t.equal(await ended(start()), 0);
  t.equal((await engine.inspectImage(reference))?.id, content.config.digest);
  const again = moved() - before;
  // A fifth of the layer for what lay in buffers, on a layer as small as this.
  t.ok(again <= missing + size / 5, `moved ${again} bytes, ${missing} were missing`);
  t.same(await readdir(blobsDir), [], 'no part stays');
});

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
