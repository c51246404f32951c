import t from 'tap';
import { describeSource, planImages } from '../../../src/mirror/plan.js';
import { releaseFor } from '../../../src/release/release-for.js';
import type { ReleaseImage } from '../../../src/release/types.js';
import { lockOf, makeEntry } from './lock/lock-samples.js';

const digest = `sha256:${'a'.repeat(64)}`;
const etcd: ReleaseImage = { name: 'etcd', reference: 'k8s.gcr.io/etcd:3.4.13-0', recipe: 'etcd' };
const plain: ReleaseImage = { name: 'etcd', reference: 'k8s.gcr.io/etcd:3.4.13-0' };
const pinned: ReleaseImage = { name: 'etcd', reference: `k8s.gcr.io/etcd:1@${digest}`, recipe: 'etcd' };
const digestOnly: ReleaseImage = { name: 'etcd', reference: `k8s.gcr.io/etcd@${digest}`, recipe: 'etcd' };

interface Case {
  readonly name: string;
  readonly image: ReleaseImage;
  readonly mirrors: readonly string[];
  readonly build: boolean;
  readonly want: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: 'no mirror: engine, upstream, build',
    image: etcd,
    mirrors: [],
    build: true,
    want: ['engine', 'upstream k8s.gcr.io/etcd:3.4.13-0', 'build etcd'],
  },
  {
    name: 'mirrors in order, then upstream, then build',
    image: etcd,
    mirrors: ['b.example', 'a.example/x'],
    build: true,
    want: [
      'engine',
      'mirror b.example/etcd:3.4.13-0',
      'mirror a.example/x/etcd:3.4.13-0',
      'upstream k8s.gcr.io/etcd:3.4.13-0',
      'build etcd',
    ],
  },
  {
    name: 'upstream where the user put it',
    image: etcd,
    mirrors: ['upstream', 'a.example'],
    build: false,
    want: ['engine', 'upstream k8s.gcr.io/etcd:3.4.13-0', 'mirror a.example/etcd:3.4.13-0'],
  },
  { name: 'none: no upstream', image: etcd, mirrors: ['none'], build: true, want: ['engine', 'build etcd'] },
  {
    name: 'no recipe: no build',
    image: plain,
    mirrors: ['a.example', 'none'],
    build: true,
    want: ['engine', 'mirror a.example/etcd:3.4.13-0'],
  },
  {
    name: 'a mirror that is the canonical registry is upstream',
    image: plain,
    mirrors: ['k8s.gcr.io', 'a.example'],
    build: false,
    want: ['engine', 'upstream k8s.gcr.io/etcd:3.4.13-0', 'mirror a.example/etcd:3.4.13-0'],
  },
  {
    name: 'two mirrors that come to one name',
    image: plain,
    mirrors: ['a.example/x', 'a.example/x/{name}', 'none'],
    build: false,
    want: ['engine', 'mirror a.example/x/etcd:3.4.13-0'],
  },
  {
    name: 'pinned: pulled by digest, never built',
    image: pinned,
    mirrors: ['a.example'],
    build: true,
    want: ['engine', `mirror a.example/etcd@${digest}`, `upstream k8s.gcr.io/etcd@${digest}`],
  },
  {
    name: 'a digest alone can only come from where it is named',
    image: digestOnly,
    mirrors: ['a.example'],
    build: true,
    want: ['engine', `upstream k8s.gcr.io/etcd@${digest}`],
  },
];

t.test('the order of sources', async (t) => {
  for (const { name, image, mirrors, build, want } of cases) {
    const [plan] = planImages({ images: [image] }, { mirrors, build });
    t.same(plan?.sources.map(describeSource), want, name);
  }
});

t.test('what goes on the image, and what is held to', async (t) => {
  const of = (image: ReleaseImage) => planImages({ images: [image] }, { mirrors: [], build: true })[0];
  t.match(of(etcd), { tag: 'k8s.gcr.io/etcd:3.4.13-0', digest: undefined });
  t.match(of(pinned), { tag: 'k8s.gcr.io/etcd:1', digest });
  t.match(of(digestOnly), { tag: `k8s.gcr.io/etcd@${digest}`, digest });
});

t.test('a lock forbids building, and all that it does not name', async (t) => {
  const key = 'k8s.gcr.io/etcd:3.4.13-0';
  const lock = lockOf({ [key]: makeEntry('e', { 'linux/amd64': 'a' }), 'k8s.gcr.io/etcd:1': makeEntry('b', {}) });
  const plan = (image: ReleaseImage) =>
    planImages({ images: [image] }, { mirrors: ['a.example'], build: true }, lock)[0];
  const locked = plan(etcd);
  t.same(locked?.sources.map(describeSource), ['engine', `mirror a.example/etcd:3.4.13-0`, `upstream ${key}`]);
  t.equal(locked?.locked, lock.images[key]);
  t.match(plan({ name: 'pause', reference: 'k8s.gcr.io/pause:1' })?.sources, [
    { kind: 'lock', reason: 'it does not name k8s.gcr.io/pause:1' },
  ]);
  t.match(plan(pinned)?.sources, [{ kind: 'lock', reason: /as sha256:b{64}, want sha256:a{64}$/ }]);
});

t.test('a plan for each image of a release', async (t) => {
  const release = releaseFor('v1.20.2', 'component');
  const plans = planImages(release, { mirrors: ['cn'], build: true });
  t.same(
    plans.map((plan) => plan.image),
    release.images,
  );
  for (const plan of plans) {
    t.equal(plan.sources[0]?.kind, 'engine');
    t.match(describeSource(plan.sources[1] ?? { kind: 'build', recipe: 'etcd' }), /aliyuncs/);
  }
});

t.throws(() => planImages({ images: [etcd] }, { mirrors: ['?'], build: true }), { code: 'InvalidConfig' });
