import t from 'tap';
import { isHyperupError } from '../../../src/base/errors.js';
import { componentImage, componentSource } from '../../../src/release/image-of.js';
import { knownReleases, releaseFor } from '../../../src/release/release-for.js';
import { defaultVersion } from '../../../src/release/releases.js';
import type { Component } from '../../../src/release/types.js';

const components: Component[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubectl',
];

t.test('versions as users write them', async (t) => {
  const cases: { given: string; want: string }[] = [
    { given: 'v1.20.2', want: 'v1.20.2' },
    { given: '1.20.2', want: 'v1.20.2' },
    { given: ' 1.20.2 ', want: 'v1.20.2' },
    { given: '1.20', want: 'v1.20.15' },
    { given: 'v1.20', want: 'v1.20.15' },
    { given: '1.17', want: 'v1.17.17' },
    { given: '1.18', want: 'v1.18.20' },
    { given: '1.19.16', want: 'v1.19.16' },
    { given: '1.24', want: 'v1.24.3' },
  ];
  for (const { given, want } of cases) t.equal(releaseFor(given).version, want, given);
});

t.test('versions that are not known', async (t) => {
  for (const given of [
    '1.2',
    '1.20.3',
    '1.21',
    '2.20.2',
    '',
    'latest',
    '1',
    '1.20.2-rc.0',
    '1.20.',
    'v1.200',
    '1.20.2.1',
  ]) {
    try {
      releaseFor(given);
      t.fail(`"${given}" was taken`);
    } catch (error) {
      t.ok(isHyperupError(error, 'InvalidConfig'), `"${given}" refused`);
      const text = isHyperupError(error) ? `${error.message} ${error.hint}` : '';
      for (const version of knownReleases()) t.match(text, version, `"${given}": ${version} offered`);
    }
  }
});

t.test('the images of each version', async (t) => {
  const cases = [
    { version: 'v1.17.17', etcd: '3.4.3-0', pause: '3.1' },
    { version: 'v1.18.20', etcd: '3.4.3-0', pause: '3.2' },
    { version: 'v1.19.16', etcd: '3.4.13-0', pause: '3.2' },
    { version: 'v1.20.2', etcd: '3.4.13-0', pause: '3.2' },
    { version: 'v1.20.15', etcd: '3.4.13-0', pause: '3.2' },
    { version: 'v1.24.3', etcd: '3.5.3-0', pause: '3.7' },
  ];
  t.same(
    knownReleases(),
    cases.map((item) => item.version),
  );
  for (const { version, etcd, pause } of cases) {
    t.same(
      releaseFor(version, 'hyperkube').images.map((image) => image.reference),
      [`k8s.gcr.io/hyperkube:${version}`, `k8s.gcr.io/etcd:${etcd}`, `k8s.gcr.io/pause:${pause}`],
      version,
    );
  }
});

t.test('every component has an image of its release, in both layouts', async (t) => {
  for (const version of knownReleases()) {
    for (const layout of ['hyperkube', 'component'] as const) {
      const release = releaseFor(version, layout);
      const names = release.images.map((image) => image.name);
      t.equal(new Set(names).size, names.length, `${version} ${layout}: names are unique`);
      const withPrograms =
        layout === 'hyperkube' ? components : components.filter((name) => !/^kube(let|ctl)$/.test(name));
      t.same(Object.keys(release.components).sort(), withPrograms.toSorted(), `${version} ${layout}: its components`);
      for (const component of withPrograms) {
        const source = componentSource(release, component);
        t.ok(names.includes(source.image), `${version} ${layout}: ${component} from ${source.image}`);
        t.ok(source.command.length > 0);
      }
    }
  }
});

t.test('one image for all, or an image a component', async (t) => {
  const together = releaseFor(defaultVersion);
  t.same(together.components['kube-apiserver'], { image: 'hyperkube', command: ['/hyperkube', 'kube-apiserver'] });
  t.same(together.components.etcd, { image: 'etcd', command: ['etcd'] });
  const apart = releaseFor(defaultVersion, 'component');
  t.same(apart.components['kube-apiserver'], { image: 'kube-apiserver', command: ['kube-apiserver'] });
  t.same(apart.components['kube-proxy'], { image: 'kube-proxy', command: ['/usr/local/bin/kube-proxy'] });
  t.same(
    apart.images.map((image) => image.reference),
    [
      'k8s.gcr.io/kube-apiserver:v1.20.2',
      'k8s.gcr.io/kube-controller-manager:v1.20.2',
      'k8s.gcr.io/kube-scheduler:v1.20.2',
      'k8s.gcr.io/kube-proxy:v1.20.2',
      'k8s.gcr.io/etcd:3.4.13-0',
      'k8s.gcr.io/pause:3.2',
    ],
  );
  t.throws(() => componentImage(apart, 'kubelet'), { code: 'Internal', message: /no image has kubelet/ });
});

t.test("CoreDNS is kubeadm's of the version, and no image that every cluster needs", async (t) => {
  t.equal(releaseFor('v1.20.2').coredns.reference, 'k8s.gcr.io/coredns:1.7.0');
  t.equal(releaseFor('v1.24.3').coredns.reference, 'k8s.gcr.io/coredns/coredns:v1.8.6');
  for (const version of knownReleases()) {
    const { coredns, images } = releaseFor(version);
    t.match(coredns, { name: 'coredns', reference: /\/coredns:v?1\.\d\.\d$/ }, version);
    t.notOk(images.some(({ name }) => name === 'coredns'));
  }
});

t.test('only the default version can be built', async (t) => {
  for (const version of knownReleases()) {
    const recipes = releaseFor(version).images.flatMap((image) => image.recipe ?? []);
    t.same(recipes, version === defaultVersion ? ['hyperkube', 'etcd', 'pause'] : [], version);
  }
});

t.test('a release is frozen all through', async (t) => {
  const release = releaseFor(defaultVersion);
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  t.ok(frozen(release));
});

t.test('without a layout, the one in which the release can be run', async (t) => {
  for (const version of knownReleases()) {
    const { dockershim, layout } = releaseFor(version);
    t.equal(layout, dockershim ? 'hyperkube' : 'component', version);
  }
  t.notOk(releaseFor('v1.24.3').dockershim);
});
