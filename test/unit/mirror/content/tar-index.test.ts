import { open, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { pack } from 'tar-stream';
import { isHyperupError } from '../../../../src/base/errors.js';
import { makeTarHeader, parseTarHeader, tarPadding } from '../../../../src/mirror/content/tar-header.js';
import { indexTar, type TarIndex } from '../../../../src/mirror/content/tar-index.js';
import { makeScene, type RawMember, type Scene, tarOf, withChecksum } from './content-scene.js';

async function index(scene: Scene, bytes: Buffer): Promise<TarIndex> {
  const path = scene.at('x.tar');
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    return await indexTar(file, bytes.length, 'x.tar');
  } finally {
    await file.close();
  }
}

const record = (key: string, value: string) => {
  const body = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(body);
  const length = bytes + String(bytes + 2).length;
  return `${length}${body}`;
};
const long = `${'long/'.repeat(30)}name`;

t.test('members where they lie', async (t) => {
  const scene = await makeScene(t);
  const members: readonly RawMember[] = [
    { path: './a/', flag: '5' },
    { path: './a//b', body: 'one' },
    { path: 'c', prefix: 'deep', body: 'two' },
    { path: 'hard', flag: '1', link: 'a/b' },
    { path: 'a/soft', flag: '2', link: '../deep/c' },
    { path: 'a/twice', flag: '2', link: 'soft' },
    { path: '././@LongLink', flag: 'L', body: `${long}\0` },
    { path: 'cut', body: 'three' },
    { path: 'pax', flag: 'x', body: record('path', 'von/außen') + record('size', '4') },
    { path: 'cut', body: 'four', size: 0 },
    { path: 'pax', flag: 'g', body: record('comment', 'x') },
    { path: 'dangling', flag: '2', link: 'nowhere' },
    { path: 'round', flag: '2', link: 'and' },
    { path: 'and', flag: '2', link: 'round' },
  ];
  const bytes = tarOf(members);
  const tar = await index(scene, bytes);
  const text = (path: string) => {
    const found = tar.find(path);
    return found && bytes.toString('utf8', found.offset, found.offset + found.size);
  };
  for (const [path, want] of [
    ['a/b', 'one'],
    ['deep/c', 'two'],
    ['hard', 'one'],
    ['a/soft', 'two'],
    ['a/twice', 'two'],
    [long, 'three'],
    ['von/außen', 'four'],
    ['a', undefined],
    ['cut', undefined],
  ] as const) {
    t.equal(text(path), want, path);
  }
  t.throws(() => tar.find('dangling'), { code: 'InvalidConfig', message: /x\.tar.*"dangling".*not there/ });
  t.throws(() => tar.find('round'), { code: 'InvalidConfig', message: /circle/ });
});

t.test('archives that could mean harm', async (t) => {
  const scene = await makeScene(t);
  const good: RawMember = { path: 'a', body: 'x' };
  const wrongSum = tarOf([good]);
  wrongSum[0] = 0x62;
  const base256 = tarOf([good]);
  base256.fill(0xff, 125, 136)[124] = 0x80;
  withChecksum(base256.subarray(0, 512));
  const words = tarOf([good]);
  words.write('size?', 124);
  withChecksum(words.subarray(0, 512));
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['no bytes', Buffer.alloc(0), /no end mark/],
    ['no tar', Buffer.alloc(2048, 'x'), /checksum/],
    ['no end mark', tarOf([good], false), /no end mark/],
    ['cut in a header', tarOf([good]).subarray(0, 700), /no end mark|cut off/],
    [
      'cut in a body',
      tarOf([{ path: 'a', body: 'x'.repeat(2000) }]).subarray(0, 1500),
      /cut off: member "a" claims 2000/,
    ],
    ['a huge size', tarOf([{ path: 'a', size: 0o77777777777 }]), /cut off/],
    ['a size beyond counting', base256, /no valid size/],
    ['a size that is none', words, /no valid size/],
    ['a wrong checksum', wrongSum, /checksum/],
    ['an absolute path', tarOf([{ path: '/etc/passwd' }]), /"\/etc\/passwd" is absolute/],
    ['a way out', tarOf([{ path: 'a/../../b' }]), /leads out/],
    ['a folder that is a way out', tarOf([{ path: '../b/', flag: '5' }]), /leads out/],
    ['a way out by prefix', tarOf([{ path: 'b', prefix: '..' }]), /leads out/],
    ['a way out by PAX', tarOf([{ path: 'p', flag: 'x', body: record('path', '../b') }, good]), /leads out/],
    ['a way out by a long name', tarOf([{ path: 'L', flag: 'L', body: '../../b\0' }, good]), /leads out/],
    ['no path', tarOf([{ path: '' }]), /empty/],
    ['the root as a file', tarOf([{ path: './.' }]), /names no file/],
    ['a zero byte', tarOf([{ path: 'p', flag: 'x', body: record('path', 'a\0b') }, good]), /zero byte/],
    ['a hard link out', tarOf([{ path: 'a', flag: '1', link: '../b' }]), /its link .*leads out/],
    ['a hard link to the root', tarOf([{ path: 'a', flag: '1', link: '/b' }]), /absolute/],
    ['a soft link out', tarOf([{ path: 'a/b', flag: '2', link: '../../c' }]), /its link .*leads out/],
    ['an absolute soft link', tarOf([{ path: 'a', flag: '2', link: '/etc/shadow' }]), /absolute/],
    ['two of one path', tarOf([good, { path: './a', body: 'y' }]), /two members "a"/],
    ['a file and a link of one path', tarOf([good, { path: 'a', flag: '2', link: 'b' }]), /two members "a"/],
    ['a device', tarOf([{ path: 'a', flag: '3' }]), /of type "3"/],
    ['a pipe', tarOf([{ path: 'a', flag: '6' }]), /of type "6"/],
    ['GNU sparse', tarOf([{ path: 'a', flag: 'S' }]), /sparse/],
    ['PAX sparse', tarOf([{ path: 'p', flag: 'x', body: record('GNU.sparse.major', '1') }, good]), /sparse/],
    ['a global path', tarOf([{ path: 'p', flag: 'g', body: record('path', 'all') }, good]), /global header/],
    ['a PAX size that is none', tarOf([{ path: 'p', flag: 'x', body: record('size', '-1') }, good]), /no valid size/],
    ['a PAX record too long', tarOf([{ path: 'p', flag: 'x', body: '99 path=a\n' }, good]), /malformed/],
    ['a PAX record of no length', tarOf([{ path: 'p', flag: 'x', body: '0 path=a\n' }, good]), /malformed/],
    ['a name that is not UTF-8', tarOf([{ path: 'p', flag: 'L', body: Buffer.from([0xff, 0xfe, 0]) }, good]), /UTF-8/],
    [
      'a huge name',
      tarOf([{ path: 'p', flag: 'L', body: Buffer.alloc(2 ** 20 + 1, 0x61) }, good]),
      /extended header has/,
    ],
  ];
  for (const [name, bytes, message] of cases) {
    await t.rejects(index(scene, bytes), { code: 'InvalidConfig', message }, name);
  }
});

t.test('headers that we write', async (t) => {
  for (const [path, size] of [
    ['index.json', 0],
    ['blobs/sha256/x', 0o77777777777],
    ['blobs/sha256/y', 0o77777777777 + 1],
    ['blobs/sha256/z', 2 ** 45],
  ] as const) {
    const header = makeTarHeader(path, size);
    t.match(parseTarHeader(header, 'read'), { path, size, flag: '0', linkPath: '' }, `${path} of ${size} bytes`);
  }
  const scene = await makeScene(t);
  const path = `blobs/sha512/${'a'.repeat(128)}`;
  const body = Buffer.from('x');
  const tar = Buffer.concat([makeTarHeader(path, 1), body, tarPadding(1), Buffer.alloc(1024)]);
  t.match((await index(scene, tar)).find(path), { size: 1, offset: tar.indexOf(body, 1024) });
});

/** Numbers that are the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

t.test('tars of another writer, then with bytes changed', async (t) => {
  const scene = await makeScene(t);
  const next = random(20_20);
  const below = (n: number) => Math.floor(next() * n);
  let refused = 0;
  for (let round = 0; round < 60; round += 1) {
    const writer = pack();
    const bodies = new Map<string, string>();
    for (let at = 0; at <= below(6); at += 1) {
      const path = `${'dir-ä/'.repeat(below(40))}file-${at}`;
      bodies.set(path, 'z'.repeat(below(1500)));
      writer.entry({ name: path }, bodies.get(path) ?? '');
    }
    writer.finalize();
    const bytes = await buffer(writer);
    const tar = await index(scene, bytes);
    for (const [path, body] of bodies) {
      const found = tar.find(path);
      const got = found && bytes.toString('utf8', found.offset, found.offset + found.size);
      if (got !== body) t.fail(`round ${round}: ${path}`);
    }
    for (let change = 0; change < 20; change += 1) {
      const broken = Buffer.from(bytes.subarray(0, next() < 0.3 ? below(bytes.length) : bytes.length));
      const block = 512 * below(Math.ceil(broken.length / 512));
      for (let flips = below(4); flips >= 0 && broken.length > 0; flips -= 1) {
        broken[Math.min(block + below(512), broken.length - 1)] = below(256);
      }
      // Else nearly all would end at the checksum.
      if (next() < 0.8 && broken.length >= block + 512) withChecksum(broken.subarray(block, block + 512));
      try {
        const changed = await index(scene, broken);
        for (const path of bodies.keys()) {
          const found = changed.find(path);
          if (found && found.offset + found.size > broken.length) t.fail(`round ${round}: reaches beyond the end`);
        }
      } catch (error) {
        refused += 1;
        if (!isHyperupError(error, 'InvalidConfig')) t.fail(`round ${round}: ${String(error)}`);
      }
    }
  }
  t.ok(refused > 300 && refused < 1200, `${refused} of 1200 refused`);
});
