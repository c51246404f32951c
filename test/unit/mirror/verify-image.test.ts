import t from 'tap';
import type { ImageSummary } from '../../../src/docker/types.js';
import { type ImageExpectation, imageFault } from '../../../src/mirror/verify-image.js';

const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const image: ImageSummary = {
  id: `sha256:${'c'.repeat(64)}`,
  tags: ['m.example/etcd:1'],
  digests: [`m.example/etcd@${digest}`],
  sizeBytes: 1,
  createdAt: '',
  architecture: 'amd64',
  labels: {},
};

t.test('images held against what is wanted', async (t) => {
  const cases: readonly {
    readonly name: string;
    readonly image?: Partial<ImageSummary>;
    readonly want: Partial<ImageExpectation>;
    readonly fault?: { readonly code: string; readonly message: RegExp };
  }[] = [
    { name: 'nothing in particular', want: {} },
    { name: 'the architecture', want: { architecture: 'amd64' } },
    { name: 'the digest', want: { digests: [digest] } },
    { name: 'one of several', want: { digests: [other, digest] } },
    { name: 'the id of one that was loaded', image: { digests: [] }, want: { digests: [digest, image.id] } },
    { name: 'one digest of several', image: { digests: [`x@${other}`, `y@${digest}`] }, want: { digests: [digest] } },
    { name: 'the id, as the containerd store has it', image: { id: other, digests: [] }, want: { digests: [other] } },
    { name: 'an image that names no architecture', image: { architecture: '' }, want: { architecture: 'arm64' } },
    {
      name: 'another digest',
      want: { digests: [other] },
      fault: { code: 'DigestMismatch', message: /^check m\.example\/etcd:1: got sha256:a{64}, want sha256:b{64}$/ },
    },
    {
      name: 'no digest',
      image: { digests: [] },
      want: { digests: [digest] },
      fault: { code: 'DigestMismatch', message: /got no digest \(image sha256:c{64}\), want sha256:a/ },
    },
    {
      name: 'another machine',
      want: { architecture: 'arm64', digests: [digest] },
      fault: { code: 'Conflict', message: /image is for amd64, this engine runs arm64/ },
    },
  ];
  for (const { name, image: changes, want, fault } of cases) {
    const expectation = { architecture: undefined, digests: undefined, ...want };
    const got = imageFault('m.example/etcd:1', { ...image, ...changes }, expectation);
    if (fault) t.match(got, fault, name);
    else t.equal(got, undefined, name);
  }
});
