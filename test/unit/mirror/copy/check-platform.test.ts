import t from 'tap';
import { checkPlatform } from '../../../../src/mirror/copy/check-platform.js';
import { parsePlatform } from '../../../../src/mirror/copy/choose-platform.js';
import { blobOf, fakeReader, imageOf, indexOf } from './copy-fakes.js';

const configType = 'application/vnd.oci.image.config.v1+json';
const layer = blobOf('layer');

const cases: readonly {
  readonly name: string;
  readonly config: string;
  readonly wanted: string;
  readonly got?: string;
}[] = [
  { name: 'the same', config: '{"os":"linux","architecture":"amd64"}', wanted: 'linux/amd64' },
  {
    name: 'another architecture',
    config: '{"os":"linux","architecture":"amd64"}',
    wanted: 'linux/arm64',
    got: 'linux/amd64',
  },
  {
    name: 'another system',
    config: '{"os":"windows","architecture":"amd64"}',
    wanted: 'linux/amd64',
    got: 'windows/amd64',
  },
  { name: 'arm64 is arm64/v8', config: '{"os":"linux","architecture":"arm64"}', wanted: 'linux/arm64/v8' },
  { name: 'a variant that is not named', config: '{"os":"linux","architecture":"arm"}', wanted: 'linux/arm/v7' },
  { name: 'a variant that was not asked for', config: '{"architecture":"arm","variant":"v6"}', wanted: 'linux/arm' },
  {
    name: 'another variant',
    config: '{"architecture":"arm","variant":"v6"}',
    wanted: 'linux/arm/v7',
    got: 'linux/arm/v6',
  },
  { name: 'a config that does not say', config: '{}', wanted: 'linux/arm64' },
  { name: 'no image, as of a chart', config: 'a chart', wanted: 'linux/arm64' },
];

for (const { name, config, wanted, got } of cases) {
  t.test(`one image: ${name}`, async (t) => {
    const blob = blobOf(config, configType);
    const source = fakeReader({ root: imageOf(blob, [layer]), blobs: [blob, layer] });
    const checked = checkPlatform(source, parsePlatform(wanted));
    if (got === undefined) await t.resolves(checked);
    else await t.rejects(checked, { code: 'Conflict', details: { got, want: wanted }, hint: /--platform/ });
  });
}

t.test('a config that is not what its digest says', async (t) => {
  const [said, served] = [
    blobOf('{"architecture":"arm64"}', configType),
    blobOf('{"architecture":"amd64"}', configType),
  ];
  const source = fakeReader({ root: imageOf(said, [layer]), blobs: [{ ...served, digest: said.digest }] });
  await t.rejects(checkPlatform(source, parsePlatform('linux/amd64')), { code: 'DigestMismatch' });
});

t.test('an index is left to the choice', async (t) => {
  const image = imageOf(blobOf('{}', configType), [layer]);
  await t.resolves(checkPlatform(fakeReader({ root: indexOf([{ manifest: image }]) }), parsePlatform('linux/arm64')));
});
