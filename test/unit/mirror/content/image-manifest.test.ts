import t from 'tap';
import { toAccepted } from '../../../../src/mirror/content/convert-manifests.js';
import {
  maxManifestBytes,
  parseImageConfig,
  parseManifest,
  toDockerSchema2,
  toOciManifest,
} from '../../../../src/mirror/content/image-manifest.js';
import { mediaTypes } from '../../../../src/mirror/content/media-types.js';
import type { ManifestContent } from '../../../../src/registry/types.js';
import { digestOf, makeImage } from './content-scene.js';

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
const content = (value: { readonly mediaType: string }): ManifestContent => {
  const bytes = bytesOf(value);
  return { mediaType: value.mediaType, bytes, digest: digestOf(bytes) };
};
const digest = `sha256:${'a'.repeat(64)}`;
const part = { mediaType: mediaTypes.ociLayer, digest, size: 1 };

t.test('what is no manifest is refused', async (t) => {
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['text', Buffer.from('<html>'), /not JSON/],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /not JSON/],
    ['a list', bytesOf([]), /unexpected content/],
    ['schema 1', bytesOf({ schemaVersion: 1, fsLayers: [] }), /at schemaVersion/],
    ['both kinds', bytesOf({ schemaVersion: 2, manifests: [], layers: [] }), /both an index and an image/],
    [
      'a digest that is a path',
      bytesOf({ schemaVersion: 2, manifests: [{ ...part, digest: 'sha256:../x' }] }),
      /not a digest/,
    ],
    [
      'a negative size',
      bytesOf({ schemaVersion: 2, config: part, layers: [{ ...part, size: -1 }] }),
      /at layers\.0\.size/,
    ],
    [
      'a size beyond counting',
      bytesOf({ schemaVersion: 2, config: { ...part, size: 1e300 }, layers: [] }),
      /at config\.size/,
    ],
    ['a huge one', Buffer.alloc(maxManifestBytes + 1, 0x20), /want at most/],
  ];
  for (const [name, bytes, message] of cases) {
    t.throws(() => parseManifest(bytes, 'read x'), { code: 'InvalidConfig', message }, name);
  }
  t.throws(() => parseImageConfig(bytesOf({ rootfs: { diff_ids: ['x'] } }), 'read x'), { code: 'InvalidConfig' });
});

t.test('OCI to schema 2 and back', async (t) => {
  for (const plain of [false, true]) {
    const docker = makeImage(['a', 'b'], { plain });
    const oci = makeImage(['a', 'b'], { plain, oci: true });
    t.strictSame(toDockerSchema2(oci.manifest), docker.manifest);
    t.strictSame(toOciManifest(docker.manifest), oci.manifest);
    t.equal(toDockerSchema2(docker.manifest), docker.manifest, 'untouched where it is one');
  }
  const zstd = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...part, mediaType: mediaTypes.ociConfig },
    layers: [{ ...part, mediaType: mediaTypes.ociLayerZstd }],
  };
  t.throws(() => toDockerSchema2(content(zstd)), { code: 'InvalidConfig', message: /no counterpart of .*zstd/ });
  const index = content({ mediaType: mediaTypes.ociIndex, schemaVersion: 2, manifests: [] } as never);
  t.throws(() => toDockerSchema2(index), { code: 'InvalidConfig', message: /it is an index/ });
});

t.test('a manifest list becomes an index over what its images become', async (t) => {
  const { manifest } = makeImage(['a']);
  const absent = {
    mediaType: mediaTypes.dockerManifest,
    digest,
    size: 7,
    platform: { os: 'linux', architecture: 's390x' },
  };
  const platform = { os: 'linux', architecture: 'amd64', 'os.version': '1' };
  const list = content({
    mediaType: mediaTypes.dockerList,
    schemaVersion: 2,
    manifests: [
      { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length, platform },
      absent,
    ],
  } as never);
  t.equal(toAccepted([manifest, list], { index: true, oci: true })[1], list, 'a registry takes it as it is');
  const [child, root] = toAccepted([manifest, list], { index: true, oci: true, docker: false });
  t.strictSame(child, toOciManifest(manifest));
  t.equal(root?.mediaType, mediaTypes.ociIndex);
  t.equal(root?.digest, digestOf(root?.bytes ?? Buffer.alloc(0)));
  t.strictSame(JSON.parse(String(root?.bytes)), {
    mediaType: mediaTypes.ociIndex,
    schemaVersion: 2,
    manifests: [
      { mediaType: mediaTypes.ociManifest, digest: child?.digest, size: child?.bytes.length, platform },
      absent,
    ],
  });
  t.strictSame(
    toAccepted([child, root] as ManifestContent[], { index: true, oci: true, docker: false }),
    [child, root],
    'and stays that',
  );
});
