import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import type { ProgressEvent } from '../../../../src/base/progress.js';
import { lockImages } from '../../../../src/mirror/lock/lock-images.js';
import { verifyLock } from '../../../../src/mirror/lock/verify-lock.js';
import { makeRegistryProbe } from '../../../../src/mirror/registry-probe.js';
import type { Platform } from '../../../../src/registry/types.js';
import { makeFakeEngine } from '../../../fakes/fake-engine.js';
import type { FakeRegistry } from '../../../fakes/fake-registry.js';
import { makeManifestList, makeTinyImage, manifestListType } from '../../../fixtures/registry-image.js';
import { makeClients, startRegistryFor } from '../../registry/test-clients.js';
import { lockOf } from './lock-samples.js';

const amd = await makeTinyImage('for amd64', { architecture: 'amd64' });
const arm = await makeTinyImage('for arm64', { architecture: 'arm64' });
const list = makeManifestList([
  { architecture: 'amd64', image: amd },
  { architecture: 'arm64', image: arm },
]);
const linux = (architecture: string): Platform => ({ os: 'linux', architecture });

interface Scene {
  readonly upstream: FakeRegistry;
  readonly mirror: FakeRegistry;
  readonly events: ProgressEvent[];
  lock(
    name: string,
    platforms: 'all' | readonly Platform[],
    mirrors?: readonly string[],
  ): ReturnType<typeof lockImages>;
}

async function makeScene(t: Test): Promise<Scene> {
  const [upstream, mirror] = await Promise.all([startRegistryFor(t), startRegistryFor(t)]);
  for (const registry of [upstream, mirror]) {
    for (const image of [amd, arm]) registry.addImage('etcd', 'any', image);
    registry.addManifest('etcd', 'v1', manifestListType, list.bytes);
  }
  upstream.addImage('single', 'v1', amd);
  mirror.addImage('single', 'v1', arm);
  const clients = makeClients(t);
  const events: ProgressEvent[] = [];
  return {
    upstream,
    mirror,
    events,
    lock: (name, platforms, mirrors = [mirror.host]) =>
      lockImages({
        images: [{ name, reference: `${upstream.host}/${name}:v1` }],
        mirrors,
        platforms,
        clients,
        probe: makeRegistryProbe({ clients, timeoutMs: 5000 }),
        emit: (event) => events.push(event),
        clock: systemClock,
      }),
  };
}

t.test('an index is locked with the platforms that were asked for', async (t) => {
  const scene = await makeScene(t);
  const [all] = await scene.lock('etcd', 'all');
  t.match(all, {
    trust: 'upstream',
    entry: {
      digest: list.digest,
      mediaType: manifestListType,
      platforms: {
        'linux/amd64': {
          manifest: amd.manifest.digest,
          config: amd.config.digest,
          size: amd.config.bytes.length + amd.layer.bytes.length,
          layers: [amd.layer.digest],
        },
        'linux/arm64': { manifest: arm.manifest.digest },
      },
      source: `${scene.upstream.host}/etcd:v1`,
    },
  });
  t.same(
    scene.mirror.requests.filter((request) => request.includes('manifests')),
    [],
    'who is believed is asked alone',
  );
  const [one] = await scene.lock('etcd', [linux('arm64')]);
  t.same(Object.keys(one?.entry?.platforms ?? {}), ['linux/arm64']);
  const [none] = await scene.lock('etcd', [linux('s390x')], ['none']);
  t.match(none, { entry: undefined });
});

t.test('an image without an index has the platform that its config names', async (t) => {
  const scene = await makeScene(t);
  const [locked] = await scene.lock('single', 'all');
  t.match(locked?.entry, { digest: amd.manifest.digest, platforms: { 'linux/amd64': { config: amd.config.digest } } });
  const [wrong] = await scene.lock('single', [linux('arm64')], ['upstream']);
  t.match(wrong, { entry: undefined, reasons: [/it is for linux\/amd64, want linux\/arm64/] });
});

t.test('a mirror is believed only where the canonical registry fails, and that is told', async (t) => {
  const scene = await makeScene(t);
  scene.upstream.fault = () => ({ kind: 'status', status: 403 });
  const [locked] = await scene.lock('etcd', 'all');
  t.match(locked, { trust: 'mirror', entry: { digest: list.digest, source: `${scene.mirror.host}/etcd:v1` } });
  t.match(
    scene.events.filter(({ type }) => type === 'note'),
    [
      {
        level: 'warn',
        message: new RegExp(`^etcd: believed ${scene.mirror.host}/etcd:v1, since ${scene.upstream.host}`),
      },
    ],
  );
  scene.mirror.fault = () => ({ kind: 'status', status: 403 });
  const [none] = await scene.lock('etcd', 'all', [scene.mirror.host]);
  t.match(none, { entry: undefined, reasons: { length: 2 } });
});

t.test('the engine and the registries are held against the lock', async (t) => {
  const scene = await makeScene(t);
  const [locked] = await scene.lock('etcd', 'all');
  const reference = `${scene.upstream.host}/etcd:v1`;
  const lock = lockOf(locked?.entry ? { [reference]: locked.entry } : {});
  const cases = [
    { name: 'loaded', image: { id: amd.config.digest }, state: 'same' },
    { name: 'pulled', image: { digests: [`${scene.upstream.host}/etcd@${list.digest}`] }, state: 'same' },
    { name: 'of the containerd store', image: { id: amd.manifest.digest }, state: 'same' },
    { name: 'built', image: { content: 'built here' }, state: 'differs' },
    { name: 'not there', image: undefined, state: 'absent' },
  ];
  for (const { name, image, state } of cases) {
    const engine = makeFakeEngine();
    if (image) engine.addImage(reference, image);
    const [found] = await verifyLock({ lock, engine });
    t.match(found, { reference, digest: list.digest, findings: [{ place: 'engine', state }] }, name);
    t.equal(found?.findings.length, 1, 'no registry is asked');
  }
  scene.mirror.addImage('etcd', 'v1', arm);
  const probe = makeRegistryProbe({ clients: makeClients(t), timeoutMs: 5000 });
  const ask = async () => {
    const [found] = await verifyLock({
      lock,
      engine: makeFakeEngine(),
      remote: { mirrors: [scene.mirror.host], probe },
    });
    return found?.findings.slice(1).map(({ place, state }) => [place, state]);
  };
  t.same(
    await ask(),
    [
      [`${scene.mirror.host}/etcd:v1`, 'same'],
      [reference, 'same'],
    ],
    "one platform's image is the index's, for that platform",
  );
  scene.mirror.addImage('etcd', 'v1', await makeTinyImage('moved on'));
  scene.upstream.fault = () => ({ kind: 'status', status: 500 });
  t.same(await ask(), [
    [`${scene.mirror.host}/etcd:v1`, 'differs'],
    [reference, 'unknown'],
  ]);
});
