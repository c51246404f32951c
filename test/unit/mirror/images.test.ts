import t from 'tap';
import { managedLabel } from '../../../src/docker/types.js';
import { listImages, selectImages } from '../../../src/mirror/list-images.js';
import type { TagChange } from '../../../src/mirror/obtain-run.js';
import { probeFailure } from '../../../src/mirror/probe-failure.js';
import { surveyImages } from '../../../src/mirror/survey.js';
import { tagImages } from '../../../src/mirror/tag-images.js';
import { releaseFor } from '../../../src/release/release-for.js';
import type { ReleaseImage } from '../../../src/release/types.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';

const release = releaseFor('v1.20.2');
const etcd: ReleaseImage = { name: 'etcd', reference: 'k8s.gcr.io/etcd:1', recipe: 'etcd' };

t.test('what the engine has of a release', async (t) => {
  const engine = makeFakeEngine();
  engine.addImage('k8s.gcr.io/hyperkube:v1.20.2', { labels: { [managedLabel]: 'true' }, sizeBytes: 7 });
  engine.addImage('k8s.gcr.io/etcd:3.4.13-0', { digests: [`k8s.gcr.io/etcd@sha256:${'e'.repeat(64)}`] });
  t.match(await listImages(engine, release), [
    { name: 'hyperkube', present: true, origin: 'built', sizeBytes: 7, architecture: 'amd64', buildable: true },
    { name: 'etcd', present: true, origin: 'pulled', digests: [/sha256:e/] },
    { name: 'pause', reference: 'k8s.gcr.io/pause:3.2', present: false, origin: undefined, id: undefined, digests: [] },
  ]);
  engine.addImage('k8s.gcr.io/pause:3.2');
  t.match((await listImages(engine, release))[2], { present: true, origin: 'other' });
});

t.test('choosing images by name', async (t) => {
  t.same(selectImages(release, []), release.images);
  t.same(
    selectImages(release, ['pause', 'etcd']).map(({ name }) => name),
    ['etcd', 'pause'],
  );
  t.throws(() => selectImages(release, ['etcd', 'redis']), {
    code: 'Usage',
    message: 'choose images of v1.20.2: got redis, want some of hyperkube, etcd, pause',
  });
});

t.test('canonical names for what was brought in under others', async (t) => {
  const cases: readonly {
    readonly name: string;
    readonly has: readonly (readonly [reference: string, content: string, architecture?: string])[];
    readonly mirrors: readonly string[];
    readonly want: object;
    readonly content?: string;
  }[] = [
    { name: 'there already', has: [['k8s.gcr.io/etcd:1', 'x']], mirrors: [], want: { outcome: 'present' } },
    { name: 'nowhere', has: [['a.example/etcd:2', 'x']], mirrors: [], want: { outcome: 'missing', from: undefined } },
    {
      name: 'under any registry',
      has: [['registry.aliyuncs.com/google_containers/etcd:1', 'x']],
      mirrors: [],
      want: { outcome: 'tagged', from: 'registry.aliyuncs.com/google_containers/etcd:1' },
    },
    {
      name: "the mirror's first",
      has: [
        ['a.example/etcd:1', 'x'],
        ['b.example/etcd:1', 'y'],
      ],
      mirrors: ['b.example'],
      want: { outcome: 'tagged', from: 'b.example/etcd:1' },
    },
    {
      name: 'under a name that only the template makes',
      has: [['docker.io/library/rancher-etcd:1-r1', 'x']],
      mirrors: ['docker.io/library/rancher-{name}:{tag}-r1'],
      want: { outcome: 'tagged', from: 'docker.io/library/rancher-etcd:1-r1' },
    },
    {
      name: 'not for another machine',
      has: [['a.example/etcd:1', 'x', 'arm64']],
      mirrors: [],
      want: { outcome: 'missing' },
    },
    {
      name: 'in the place of one for another machine',
      has: [
        ['k8s.gcr.io/etcd:1', 'x', 'arm64'],
        ['a.example/etcd:1', 'y'],
      ],
      mirrors: [],
      want: { outcome: 'tagged', from: 'a.example/etcd:1' },
    },
  ];
  for (const { name, has, mirrors, want } of cases) {
    const engine = makeFakeEngine();
    for (const [reference, content, architecture = 'amd64'] of has)
      engine.addImage(reference, { content, architecture });
    const before = (await engine.inspectImage(etcd.reference))?.id;
    const tags: TagChange[] = [];
    const onTag = async (change: TagChange) => {
      tags.push(change);
    };
    const options = { engine, images: [etcd], mirrors, architecture: 'amd64', onTag };
    const [result] = await tagImages(options);
    t.match(result, { name: 'etcd', reference: etcd.reference, ...want }, name);
    if (result?.outcome !== 'tagged') {
      t.same(tags, [], `${name}: nothing was tagged`);
      continue;
    }
    t.same(tags, [{ reference: etcd.reference, previousId: before, pulledAs: undefined }]);
    t.ok(await engine.inspectImage(result.from ?? ''), 'the other name stays');
    t.match(await tagImages(options), [{ outcome: 'present' }], `${name}: done once`);
  }
});

t.test('a survey does nothing', async (t) => {
  const engine = makeFakeEngine();
  engine.addImage('k8s.gcr.io/etcd:3.4.13-0', { sizeBytes: 9 });
  const asked: string[] = [];
  const survey = await surveyImages({
    engine,
    engineInfo: await engine.info(),
    release,
    options: { mirrors: ['a.example', 'none'], build: true },
    builder: {
      canBuild: (recipe) => recipe === 'pause',
      build: () => Promise.reject(new Error('a survey builds nothing')),
    },
    probe: {
      probe: async ({ reference }) => {
        asked.push(reference);
        return probeFailure('notFound', `a.example has it not`);
      },
      has: async () => false,
      greet: () => {},
    },
    clients: {
      clientFor: () => {
        throw new Error('the probe does the asking');
      },
    },
  });
  t.match(survey, [
    { name: 'hyperkube', source: 'unavailable', detail: /a\.example has it not; this host cannot build it/ },
    { name: 'etcd', source: 'engine', sizeBytes: 9 },
    { name: 'pause', source: 'build', sizeBytes: undefined },
  ]);
  t.same(asked, ['a.example/hyperkube:v1.20.2', 'a.example/pause:3.2']);
  t.same([...new Set(engine.calls.map(({ call }) => call))].sort(), ['info', 'inspectImage']);
});
