import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import { imagesUnavailable, type SourceReport } from '../../../src/mirror/outcome.js';
import { obtainRelease } from '../../../src/provision/obtain-release.js';
import { releaseFor } from '../../../src/release/release-for.js';
import type { ReleaseImage, ReleaseSpec } from '../../../src/release/types.js';

const together = releaseFor('v1.20.2', 'hyperkube');
const apart = releaseFor('v1.20.2', 'component');

const gone: SourceReport = {
  source: { kind: 'upstream', host: 'k8s.gcr.io', reference: 'k8s.gcr.io/x:1' },
  outcome: 'failed',
  reason: 'not there',
  elapsedMs: 1,
};
const notBegun: SourceReport = {
  source: { kind: 'build', recipe: 'etcd' },
  outcome: 'skipped',
  reason: 'not begun',
  elapsedMs: 0,
};

interface Scene {
  readonly missing: readonly string[];
  readonly unbuilt?: readonly string[];
  readonly releases?: readonly ReleaseSpec[];
}

/** Sources that have all images but some. */
async function obtain({ missing, unbuilt = [], releases = [together, apart] }: Scene) {
  const tried: string[] = [];
  const notes: string[] = [];
  const emit = (event: ProgressEvent) => {
    if (event.type === 'note') notes.push(event.message);
  };
  const result = obtainRelease({
    releases,
    emit,
    obtain: async (release) => {
      tried.push(release.layout);
      const reportsOf = ({ name }: ReleaseImage) => (unbuilt.includes(name) ? [gone, notBegun] : [gone]);
      const absent = release.images
        .filter(({ name }) => missing.includes(name) || (unbuilt.includes(name) && release === together))
        .map((image) => ({ image, reports: reportsOf(image) }));
      if (absent.length > 0) throw imagesUnavailable(absent, release.images.length, 'use --mirror');
      return release.images.length;
    },
  }).catch((error: unknown) => error as HyperupError);
  return { result: await result, tried, notes };
}

t.test('hyperkube where it is to be had', async (t) => {
  const { result, tried, notes } = await obtain({ missing: [] });
  t.match(result, { release: { layout: 'hyperkube' }, images: 3 });
  t.same(tried, ['hyperkube']);
  t.same(notes, []);
});

t.test('an image for each component where it is not, and that is told', async (t) => {
  const { result, tried, notes } = await obtain({ missing: ['hyperkube'] });
  t.match(result, { release: { layout: 'component' }, images: 6 });
  t.same(tried, ['hyperkube', 'component']);
  t.match(notes, [/no source has k8s\.gcr\.io\/hyperkube:v1\.20\.2: .*each component, with the built-in kubelet/]);
});

t.test('neither: the error names both', async (t) => {
  const { result } = await obtain({ missing: ['hyperkube', 'kube-scheduler'] });
  t.match(result, {
    code: 'ImageUnavailable',
    message: /hyperkube:v1\.20\.2[\s\S]*not there[\s\S]*kube-scheduler:v1\.20\.2/,
    hint: 'use --mirror',
    details: { images: [{ name: 'hyperkube' }, { name: 'kube-scheduler' }] },
  });
});

t.test('what both need and nobody has ends it at once', async (t) => {
  const { result, tried } = await obtain({ missing: ['hyperkube', 'pause'] });
  t.match(result, { code: 'ImageUnavailable', message: /pause/ });
  t.same(tried, ['hyperkube']);
});

t.test('an image that was only not built for the sake of hyperkube does not', async (t) => {
  const { result, tried } = await obtain({ missing: ['hyperkube'], unbuilt: ['etcd'] });
  t.match(result, { release: { layout: 'component' } });
  t.same(tried, ['hyperkube', 'component']);
});

t.test('one who insists on hyperkube gets no other', async (t) => {
  const { result, tried } = await obtain({ missing: ['hyperkube'], releases: [together] });
  t.match(result, { code: 'ImageUnavailable' });
  t.same(tried, ['hyperkube']);
});

t.test('other failures are no matter of images', async (t) => {
  const failure = new HyperupError('EngineUnreachable', 'gone');
  const tried: string[] = [];
  const work = obtainRelease({
    releases: [together, apart],
    emit: () => {},
    obtain: async ({ layout }) => {
      tried.push(layout);
      throw failure;
    },
  });
  await t.rejects(work, { code: 'EngineUnreachable' });
  t.same(tried, ['hyperkube']);
});
