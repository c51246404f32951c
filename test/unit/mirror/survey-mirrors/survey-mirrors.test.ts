import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { parseMirrors } from '../../../../src/mirror/mirror-spec.js';
import { makeRegistryProbe } from '../../../../src/mirror/registry-probe.js';
import { rankMirrors, suggestMirrors } from '../../../../src/mirror/survey-mirrors/rank.js';
import { surveyMirrors } from '../../../../src/mirror/survey-mirrors/survey-mirrors.js';
import type { MirrorReport } from '../../../../src/mirror/survey-mirrors/types.js';
import type { RegistryClients } from '../../../../src/registry/types.js';
import type { FakeRegistry } from '../../../fakes/fake-registry.js';
import { makeTinyImage } from '../../../fixtures/registry-image.js';
import { makeClients, startRegistryFor } from '../../registry/test-clients.js';

const images = ['etcd', 'pause'].map((name) => ({ name, reference: `k8s.gcr.io/${name}:v1` }));
const contents = await Promise.all(images.map(({ name }) => makeTinyImage(name, { architecture: 'amd64' })));

function survey(mirrors: readonly string[], clients: RegistryClients, addresses: readonly string[] = []) {
  return surveyMirrors({
    images,
    mirrors,
    clients,
    probe: makeRegistryProbe({ clients, timeoutMs: 5000 }),
    lookUp: async (name) => (name.endsWith('.invalid') ? [] : addresses),
    architecture: 'amd64',
    clock: systemClock,
  });
}

/** A registry with the first so many of the images. */
async function startMirror(t: Test, count: number, redirectsBlobsTo?: string): Promise<FakeRegistry> {
  const registry = await startRegistryFor(t, { redirectsBlobsTo });
  for (const [index, { name }] of images.slice(0, count).entries()) {
    const content = contents[index];
    if (content) registry.addImage(`k8s/${name}`, 'v1', content);
  }
  return registry;
}

t.test('mirrors are tested with a blob, and come out with the best first', async (t) => {
  const [whole, part, empty, page, limited] = await Promise.all([2, 1, 0, 0, 0].map((count) => startMirror(t, count)));
  const gone = await startRegistryFor(t);
  await gone.close();
  const elsewhere = await startMirror(t, 2, gone.origin);
  const all = [gone, page, empty, elsewhere, limited, part, whole].flatMap((each) => each ?? []);
  if (page) page.fault = () => ({ kind: 'page', title: 'Hotel' });
  if (limited) limited.fault = () => ({ kind: 'status', status: 429 });
  const result = await survey([...all.map(({ host }) => `${host}/k8s`), 'none'], makeClients(t));
  const of = (registry: FakeRegistry | undefined) =>
    result.mirrors.find(({ mirror }) => mirror === `${registry?.host}/k8s`);
  t.same(
    result.mirrors.slice(0, 2).map(({ mirror }) => mirror),
    [`${whole?.host}/k8s`, `${part?.host}/k8s`],
  );
  t.match(of(whole), { reachable: true, fault: undefined, images: [{ has: true }, { has: true }] });
  t.ok((of(whole)?.bytesPerSecond ?? 0) > 0 && of(whole)?.latencyMs !== undefined, 'measured');
  t.match(of(part), {
    reachable: true,
    fault: undefined,
    images: [
      { name: 'etcd', has: true },
      { name: 'pause', has: false },
    ],
  });
  t.match(of(empty), { reachable: true, bytesPerSecond: undefined, fault: { kind: 'notFound' } });
  t.match(of(page), { reachable: false, fault: { kind: 'notRegistry', reason: /Hotel/ } });
  t.match(of(limited), { reachable: false, fault: { kind: 'rateLimited' } });
  t.match(of(gone), { reachable: false, latencyMs: undefined, fault: { kind: 'refused' } });
  t.match(of(elsewhere), {
    reachable: true,
    bytesPerSecond: undefined,
    images: [{ has: true }, { has: true }],
    fault: { kind: 'redirect', reason: new RegExp(`elsewhere: .*sends on to ${gone.host}: ${gone.host} refused`) },
  });
  t.same(result.suggestion, [`${whole?.host}/k8s`, `${part?.host}/k8s`]);
  t.same(result.uncovered, []);
});

t.test('a name that leads astray is told', async (t) => {
  const registry = await startRegistryFor(t);
  await registry.close();
  // A public name whose connections end at a closed port.
  const clients = makeClients(t);
  const astray: RegistryClients = { ...clients, clientFor: () => clients.clientFor(registry.host) };
  const { mirrors } = await survey(['m.example.com', 'none'], astray, ['10.9.8.7']);
  t.match(mirrors, [{ fault: { kind: 'dnsPoisoned', reason: /m\.example\.com resolves to 10\.9\.8\.7 .*refused/ } }]);
});

t.test('without mirrors those of the presets are tested, save such as copy other registries', async (t) => {
  const registry = await startRegistryFor(t);
  const clients = makeClients(t);
  const { mirrors, notAsked, uncovered, suggestion } = await survey([], {
    ...clients,
    clientFor: () => clients.clientFor(registry.host),
  });
  t.ok(mirrors.some(({ mirror }) => mirror === 'upstream (k8s.gcr.io)'));
  t.ok(mirrors.some(({ word }) => word === 'm.daocloud.io/{domain}/{path}'));
  t.ok(notAsked.includes('docker.m.daocloud.io'));
  t.same([uncovered, suggestion], [['etcd', 'pause'], []]);
  for (const { word, mirror } of mirrors) {
    const [entry] = parseMirrors([word]).entries;
    t.equal(entry === 'upstream' ? 'upstream' : entry?.templates.join(), word, `${mirror} can be written as ${word}`);
  }
});

t.test('the order and the suggestion', async (t) => {
  const report = (word: string, has: readonly boolean[], bytesPerSecond?: number): MirrorReport => ({
    mirror: word,
    word,
    hosts: [word],
    reachable: true,
    latencyMs: 1,
    bytesPerSecond,
    images: has.map((each, index) => ({ name: `i${index}`, reference: '', has: each, detail: '' })),
    fault: undefined,
  });
  const ranked = rankMirrors([
    report('dead', [false, false, false]),
    report('noBlobs', [true, true, true]),
    report('slow', [true, true, false], 10),
    report('quick', [true, true, false], 99),
    report('upstream', [true, false, false], 1000),
  ]);
  t.same(
    ranked.map(({ word }) => word),
    ['quick', 'slow', 'upstream', 'noBlobs', 'dead'],
  );
  t.same(suggestMirrors(ranked, ['i0', 'i1', 'i2']), { suggestion: ['quick', 'slow'], uncovered: ['i2'] });
});
