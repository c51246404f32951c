import t from 'tap';
import {
  type BundleManifest,
  formatBundleManifest,
  parseBundleManifest,
} from '../../../../src/mirror/bundle/bundle-format.js';
import { parseChunkList } from '../../../../src/mirror/bundle/chunks.js';
import { builtContents, twoImages } from '../../../builders/bundle.js';

const good = builtContents(twoImages()).manifest;
const zero = `sha256:${'0'.repeat(64)}`;

t.test('reads what it writes', async (t) => {
  t.same(parseBundleManifest(formatBundleManifest(good), 'b.tar'), good);
});

const cases: readonly (readonly [name: string, change: (manifest: BundleManifest) => object, says: RegExp])[] = [
  ['a format of the future', (m) => ({ ...m, format: 2 }), /got format 2, want 1/],
  ['a digest with a path in it', (m) => ({ ...m, blobs: [{ digest: 'sha256:../../x', size: 1 }] }), /blobs\.0\.digest/],
  ['a negative size', (m) => ({ ...m, blobs: [{ digest: zero, size: -1 }] }), /blobs\.0\.size/],
  ['a size that is no number', (m) => ({ ...m, blobs: [{ digest: zero, size: '1' }] }), /blobs\.0\.size/],
  [
    'a reference that is none',
    (m) => ({ ...m, images: [{ ...m.images[0], reference: '/etc' }] }),
    /images\.0\.reference/,
  ],
  ['a reference without a tag', (m) => ({ ...m, images: [{ ...m.images[0], reference: 'etcd' }] }), /with a tag/],
  ['an unknown role', (m) => ({ ...m, images: [{ ...m.images[0], role: 'root' }] }), /images\.0\.role/],
  ['an unknown key', (m) => ({ ...m, run: 'me' }), /run/],
  ['a blob twice', (m) => ({ ...m, blobs: [...m.blobs, m.blobs[0]] }), /listed twice/],
  ['a missing blob', (m) => ({ ...m, blobs: m.blobs.slice(0, -1) }), /not in the list of blobs/],
  [
    'a blob in the bundle and in its base',
    (m) => ({ ...m, base: { name: 'b', digest: zero, blobs: [m.blobs[0]] } }),
    /twice/,
  ],
];

for (const [name, change, says] of cases) {
  t.test(`refuses ${name}`, async (t) => {
    const text = JSON.stringify(change(good));
    t.throws(() => parseBundleManifest(text, 'b.tar'), { code: 'InvalidConfig', message: says });
  });
}

t.test('refuses what is no JSON', async (t) => {
  t.throws(() => parseBundleManifest('{', 'b.tar'), { code: 'InvalidConfig', message: /no JSON/ });
});

const chunk = { name: 'b.tar.001', size: 3, sha256: 'a'.repeat(64) };
const lists: readonly (readonly [name: string, list: unknown, says: RegExp])[] = [
  ['a path for a name', { format: 1, size: 3, chunks: [{ ...chunk, name: '../b.001' }] }, /chunks\.0\.name/],
  ['sizes that contradict', { format: 1, size: 4, chunks: [chunk] }, /3 bytes in all, want 4/],
  ['a chunk twice', { format: 1, size: 6, chunks: [chunk, chunk] }, /twice/],
  ['no chunks', { format: 1, size: 0, chunks: [] }, /chunks/],
];

for (const [name, list, says] of lists) {
  t.test(`refuses a list of chunks with ${name}`, async (t) => {
    t.throws(() => parseChunkList(JSON.stringify(list), 'l'), { code: 'InvalidConfig', message: says });
  });
}
