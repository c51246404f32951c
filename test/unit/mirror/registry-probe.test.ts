import t, { type Test } from 'tap';
import { makeRegistryProbe, type ProbeTarget, type RegistryProbe } from '../../../src/mirror/registry-probe.js';
import type { FakeRegistry, FakeRegistryOptions, RegistryFault } from '../../fakes/fake-registry.js';
import { makeManifestList, makeTinyImage, manifestListType } from '../../fixtures/registry-image.js';
import { makeClients, startRegistryFor } from '../registry/test-clients.js';

const image = await makeTinyImage('probed', { architecture: 'amd64' });
const list = makeManifestList([{ architecture: 'amd64', image }]);
const size = image.config.bytes.length + image.layer.bytes.length;
const absent = `sha256:${'1'.repeat(64)}`;

interface Scene {
  readonly registry: FakeRegistry;
  readonly probe: RegistryProbe;
}

async function makeScene(t: Test, options: FakeRegistryOptions = {}, timeoutMs = 5000): Promise<Scene> {
  const registry = await startRegistryFor(t, options);
  registry.addImage('a/b', 'v1', image);
  registry.addManifest('a/b', 'list', manifestListType, list.bytes);
  return { registry, probe: makeRegistryProbe({ clients: makeClients(t), timeoutMs }) };
}

const onManifests =
  (fault: RegistryFault) =>
  ({ url }: { readonly url: string }) =>
    url.includes('/manifests/') ? fault : undefined;

interface Case {
  readonly name: string;
  readonly reference?: string;
  readonly target?: Partial<ProbeTarget>;
  readonly registry?: FakeRegistryOptions;
  readonly fault?: NonNullable<FakeRegistry['fault']>;
  readonly want: object;
}

const cases: readonly Case[] = [
  {
    name: 'an image',
    want: {
      ok: true,
      sizeBytes: size,
      root: { digest: image.manifest.digest },
      image: { config: { digest: image.config.digest }, layers: [{ digest: image.layer.digest }] },
    },
  },
  {
    name: 'the image of an index',
    reference: 'a/b:list',
    want: {
      ok: true,
      sizeBytes: size,
      root: { digest: list.digest },
      image: { manifest: { digest: image.manifest.digest } },
    },
  },
  {
    name: 'an index for no machine in particular',
    reference: 'a/b:list',
    target: { architecture: undefined },
    want: { ok: true, sizeBytes: undefined, image: undefined },
  },
  {
    name: 'for other machines only',
    reference: 'a/b:list',
    target: { architecture: 'arm64' },
    want: { ok: false, kind: 'platform', wholeHost: false, reason: /has nothing for linux\/arm64, only linux\/amd64/ },
  },
  { name: 'behind a token for anyone', registry: { auth: { kind: 'bearer' } }, want: { ok: true } },
  { name: 'not there', reference: 'a/c:v1', want: { ok: false, kind: 'notFound', wholeHost: false } },
  {
    name: 'behind a login',
    fault: onManifests({ kind: 'status', status: 403 }),
    want: { ok: false, kind: 'login', wholeHost: false },
  },
  {
    name: 'blocked as a whole',
    fault: () => ({ kind: 'status', status: 403 }),
    want: { ok: false, kind: 'login', wholeHost: true },
  },
  {
    name: 'out of order',
    fault: () => ({ kind: 'status', status: 503 }),
    want: { ok: false, kind: 'status', wholeHost: true, reason: /HTTP 503/ },
  },
  {
    name: 'out of order for manifests',
    fault: onManifests({ kind: 'status', status: 500 }),
    want: { ok: false, kind: 'status', wholeHost: true },
  },
  {
    name: 'too many requests',
    fault: onManifests({ kind: 'status', status: 429 }),
    want: { ok: false, kind: 'rateLimited', wholeHost: true },
  },
  {
    name: 'no registry at all',
    fault: () => ({ kind: 'status', status: 404 }),
    want: { ok: false, kind: 'notRegistry', wholeHost: true },
  },
  {
    name: "a network's login page",
    fault: () => ({ kind: 'page', title: 'Hotel' }),
    want: { ok: false, kind: 'notRegistry', wholeHost: true, reason: /Hotel/ },
  },
  {
    name: 'a lie about the digest',
    fault: onManifests({ kind: 'headers', headers: { 'docker-content-digest': absent } }),
    want: { ok: false, kind: 'digest', wholeHost: false },
  },
  {
    name: 'broken off',
    fault: onManifests({ kind: 'reset' }),
    want: { ok: false, kind: 'broken', wholeHost: true },
  },
  {
    name: 'what a lock wants, whatever the tag says',
    reference: 'a/b:moved-on',
    target: { pin: { root: list.digest, manifest: image.manifest.digest } },
    want: { ok: true, root: { digest: image.manifest.digest }, sizeBytes: size },
  },
  {
    name: 'a stale mirror, told from an empty one',
    target: { pin: { root: absent, manifest: absent } },
    want: { ok: false, kind: 'digest', reason: new RegExp(`has ${image.manifest.digest} as a/b:v1, want ${absent}`) },
  },
  {
    name: 'an empty mirror',
    reference: 'a/c:v1',
    target: { pin: { root: absent, manifest: absent } },
    want: { ok: false, kind: 'notFound' },
  },
  {
    name: 'a mirror that knows tags only',
    target: { pin: { root: list.digest, manifest: image.manifest.digest } },
    fault: ({ url }) => (url.includes('/manifests/sha256:') ? { kind: 'status', status: 404 } : undefined),
    want: { ok: true, root: { digest: image.manifest.digest } },
  },
];

t.test('what a registry says', async (t) => {
  for (const { name, reference = 'a/b:v1', target, registry: options, fault, want } of cases) {
    await t.test(name, async (t) => {
      const { registry, probe } = await makeScene(t, options);
      registry.fault = fault;
      const asked = { reference: `${registry.host}/${reference}`, architecture: 'amd64', ...target };
      t.match(await probe.probe(asked, undefined), want);
    });
  }
});

t.test('a registry is asked what it is only once, and one that hangs costs its time once', async (t) => {
  const { registry, probe } = await makeScene(t, {}, 50);
  registry.fault = () => ({ kind: 'hang' });
  probe.greet(registry.host);
  const results = await Promise.all(
    ['a/b:v1', 'a/c:v1', 'd:v2'].map((name) => probe.probe({ reference: `${registry.host}/${name}` }, undefined)),
  );
  for (const result of results) {
    t.match(result, { ok: false, kind: 'timeout', wholeHost: true, reason: /gave no answer within 0\.05 s/ });
  }
  t.notOk(await probe.has({ reference: `${registry.host}/a/b:v1` }, image.manifest.digest));
  t.same(registry.requests, ['GET /v2/']);
});

t.test('whether a repository has a manifest', async (t) => {
  const { registry, probe } = await makeScene(t);
  t.ok(await probe.has({ reference: `${registry.host}/a/b:any` }, image.manifest.digest));
  t.notOk(await probe.has({ reference: `${registry.host}/a/b:any` }, absent));
  t.notOk(
    registry.requests.some((request) => request.startsWith('GET /v2/a/')),
    'no pull is counted',
  );
});

t.test('an abort ends the wait', async (t) => {
  const { registry, probe } = await makeScene(t);
  registry.fault = () => ({ kind: 'hang' });
  const controller = new AbortController();
  const target = { reference: `${registry.host}/a/b:v1` };
  const asked = probe.probe(target, controller.signal);
  controller.abort(new Error('user'));
  await t.rejects(asked, { code: 'Aborted' });
  await t.rejects(probe.probe(target, controller.signal), { code: 'Aborted' });
});
