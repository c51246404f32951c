import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { isHyperupError } from '../../../../src/base/errors.js';
import { openBundle } from '../../../../src/mirror/bundle/open-bundle.js';
import { verifyBundle } from '../../../../src/mirror/bundle/verify-bundle.js';
import { bundleSize } from '../../../../src/mirror/bundle/write-bundle.js';
import { sha256Of } from '../../../../src/mirror/content/digest.js';
import { makeTarHeader, tarEnd, tarPadding } from '../../../../src/mirror/content/tar-header.js';
import { builtContents, builtImage, ownLayer, twoImages, writtenBundle } from '../../../builders/bundle.js';

t.test('what was written is read again', async (t) => {
  const dir = t.testdir();
  const [a, b] = [join(dir, 'a.tar'), join(dir, 'b.tar')];
  const contents = { ...builtContents(twoImages()), lock: '{"version":1,"images":{}}\n' };
  const lock = { digest: sha256Of(Buffer.from(contents.lock)), size: contents.lock.length };
  const whole = { ...contents, manifest: { ...contents.manifest, lock } };
  await writtenBundle(a, whole);
  await writtenBundle(b, whole);
  const bytes = await readFile(a);
  t.ok(bytes.equals(await readFile(b)), 'the same contents make the same file');
  t.equal(bytes.length, bundleSize(whole), 'its size was known before');
  const bundle = await openBundle(a);
  t.teardown(() => bundle.close());
  t.same(bundle.manifest, whole.manifest);
  t.equal(bundle.lock, contents.lock);
  const digest = sha256Of(ownLayer);
  t.ok((await buffer(bundle.openBlob(digest))).equals(ownLayer));
  t.ok((await buffer(bundle.openBlob(digest, 10, 20))).equals(ownLayer.subarray(10, 30)), 'a range of it');
  t.equal((await buffer(bundle.openBlob(digest, 9999))).length, 0, 'nothing beyond its end');
  await verifyBundle(bundle);
  const names = execFileSync('tar', ['-tf', a], { encoding: 'utf8' }).trim().split('\n');
  t.equal(names[0], 'hyperup/bundle.json', 'what is in it comes first');
  t.equal(new Set(names).size, names.length, 'each blob is there once');
});

interface TarPart {
  readonly name: string;
  readonly data: Buffer;
  readonly flag: string;
}

/** The entries of an archive, in order. */
function partsOf(tar: Buffer): TarPart[] {
  const parts: TarPart[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const name = tar.toString('latin1', at, tar.indexOf(0, at));
    parts.push({ name, data: tar.subarray(at + 512, at + 512 + size), flag: '0' });
    at += 512 + size + tarPadding(size).length;
  }
  return parts;
}

/** An archive of these entries, whose headers are as they should be but for what the test wants wrong. */
function tarOf(parts: readonly TarPart[]): Buffer {
  const pieces = parts.flatMap(({ name, data, flag }) => {
    const header = makeTarHeader(name, data.length);
    header.write(flag, 156);
    header.write('        ', 148);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    return [header, data, tarPadding(data.length)];
  });
  return Buffer.concat([...pieces, tarEnd()]);
}

interface Hostile {
  readonly name: string;
  readonly change: (tar: Buffer) => Buffer;
  readonly code: 'InvalidConfig' | 'DigestMismatch';
  readonly says: RegExp;
}

const withPart = (tar: Buffer, at: number, change: Partial<TarPart>) =>
  tarOf(partsOf(tar).map((part, index) => (index === at ? { ...part, ...change } : part)));
const editManifest = (tar: Buffer, edit: (text: string) => string) =>
  withPart(tar, 0, { data: Buffer.from(edit(partsOf(tar)[0]?.data.toString() ?? '')) });

const hostile: readonly Hostile[] = [
  { name: 'an empty file', change: () => Buffer.alloc(0), code: 'InvalidConfig', says: /cut short: got 0 bytes/ },
  { name: 'no tar', change: () => Buffer.alloc(4096, 'x'), code: 'InvalidConfig', says: /tar header/ },
  {
    name: 'a plain OCI archive',
    change: (tar) => tarOf(partsOf(tar).slice(1)),
    code: 'InvalidConfig',
    says: /it is no bundle of hyperup images save/,
  },
  {
    name: 'entries in another order',
    change: (tar) => {
      const parts = partsOf(tar);
      return tarOf([...parts.slice(0, 3), ...parts.slice(3).toReversed()]);
    },
    code: 'InvalidConfig',
    says: /entry 4 is "blobs\/sha256\/\w+", want blobs\/sha256/,
  },
  {
    name: 'a name that leads outside',
    change: (tar) => withPart(tar, 4, { name: '../../../../etc/cron.d/x' }),
    code: 'InvalidConfig',
    says: /entry 5 is "\.\.\/\.\.\/\.\.\/\.\.\/etc\/cron\.d\/x"/,
  },
  {
    name: 'an absolute name',
    change: (tar) => withPart(tar, 3, { name: '/etc/passwd' }),
    code: 'InvalidConfig',
    says: /entry 4 is "\/etc\/passwd"/,
  },
  {
    name: 'a symbolic link in place of a blob',
    change: (tar) => withPart(tar, 5, { flag: '2' }),
    code: 'InvalidConfig',
    says: /is a symbolic link, want a file/,
  },
  {
    name: 'a hard link in place of a blob',
    change: (tar) => withPart(tar, 5, { flag: '1' }),
    code: 'InvalidConfig',
    says: /is a hard link, want a file/,
  },
  {
    name: 'more than was announced',
    change: (tar) => tarOf([...partsOf(tar), { name: 'hyperup/more', data: Buffer.from('x'), flag: '0' }]),
    code: 'InvalidConfig',
    says: /goes on with "hyperup\/more"/,
  },
  {
    name: 'less than was announced',
    change: (tar) => tarOf(partsOf(tar).slice(0, -1)),
    code: 'InvalidConfig',
    says: /it ends before blobs/,
  },
  {
    name: 'a blob of another size',
    change: (tar) => withPart(tar, 7, { data: Buffer.alloc(17) }),
    code: 'InvalidConfig',
    says: /has 17 bytes, want \d+/,
  },
  {
    name: 'a manifest that is not what its digest says',
    change: (tar) => {
      const parts = partsOf(tar);
      const data = Buffer.from(parts[3]?.data ?? '');
      data[10] = (data[10] ?? 0) ^ 1;
      return withPart(tar, 3, { data });
    },
    code: 'DigestMismatch',
    says: /digest sha256:\w+, want sha256:/,
  },
  {
    name: 'a list of blobs that an image contradicts',
    change: (tar) => editManifest(tar, (text) => text.replace(/"size": 5000/, '"size": 5001')),
    code: 'InvalidConfig',
    says: /has \d+ bytes in one place and \d+ in another/,
  },
  {
    name: 'an image that wants a blob which is not there',
    change: (tar) => editManifest(tar, (text) => text.replaceAll(sha256Of(ownLayer), `sha256:${'0'.repeat(64)}`)),
    code: 'InvalidConfig',
    says: /entry \d+ is|other blobs|want blobs/,
  },
  {
    name: 'an image under the name of another',
    change: (tar) => editManifest(tar, (text) => text.replace('docker.io/library/app:1', 'k8s.gcr.io/etcd:3.4.13-0')),
    code: 'InvalidConfig',
    says: /listed twice/,
  },
];

for (const { name, change, code, says } of hostile) {
  t.test(`refused: ${name}`, async (t) => {
    const dir = t.testdir();
    const path = join(dir, 'b.tar');
    await writtenBundle(path, builtContents(twoImages()));
    await writeFile(path, change(await readFile(path)));
    const error: unknown = await openBundle(path).then(
      async (bundle) => {
        await bundle.close();
        return undefined;
      },
      (reason: unknown) => reason,
    );
    t.ok(isHyperupError(error, code), `${code}: ${error}`);
    t.match(String(error), says);
    t.same(await readdir(dir), ['b.tar'], 'nothing was unpacked');
  });
}

t.test('refused wherever it is cut', async (t) => {
  const path = join(t.testdir(), 'b.tar');
  await writtenBundle(path, builtContents([builtImage('k8s.gcr.io/pause:3.2', [Buffer.alloc(700, 'p')])]));
  const whole = await readFile(path);
  for (let length = 0; length < whole.length; length += 256) {
    await writeFile(path, whole.subarray(0, length));
    await t.rejects(openBundle(path), { code: 'InvalidConfig' }, `${length} of ${whole.length} bytes`);
  }
});

t.test('a layer that lies is found by reading it', async (t) => {
  const path = join(t.testdir(), 'b.tar');
  await writtenBundle(path, builtContents(twoImages()));
  const bytes = await readFile(path);
  const at = bytes.indexOf(ownLayer);
  bytes[at + 100] = 0;
  await writeFile(path, bytes);
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  await t.rejects(verifyBundle(bundle), { code: 'DigestMismatch' });
});

t.test('chunks', async (t) => {
  const dir = t.testdir({ copy: {} });
  const path = join(dir, 'b.tar');
  const files = await writtenBundle(path, builtContents(twoImages()), 4096);
  t.ok(files.length > 3, 'several, and their list');
  for (const name of [path, `${path}.chunks.json`, `${path}.001`]) {
    const bundle = await openBundle(name);
    await verifyBundle(bundle);
    await bundle.close();
  }
  const put = async (change: (copy: string) => Promise<void>) => {
    const copy = join(dir, 'copy');
    await mkdir(copy, { recursive: true });
    for (const file of files) await copyFile(file, join(copy, file.slice(dir.length + 1)));
    await change(copy);
    return openBundle(join(copy, 'b.tar'));
  };
  const first = await readFile(`${path}.001`);
  const second = await readFile(`${path}.002`);
  await t.rejects(
    put(async (copy) => execFileSync('rm', [join(copy, 'b.tar.002')]) && undefined),
    { code: 'InvalidConfig', message: /b\.tar\.002 is missing/ },
  );
  await t.rejects(
    put(async (copy) => {
      await writeFile(join(copy, 'b.tar.001'), second);
      await writeFile(join(copy, 'b.tar.002'), first);
    }),
    { message: /b\.tar\.001 holds what b\.tar\.002 should hold; b\.tar\.002 holds what b\.tar\.001/ },
  );
  await t.rejects(
    put((copy) => writeFile(join(copy, 'b.tar.001'), first.subarray(1))),
    { message: /b\.tar\.001 has 4095 bytes, want 4096/ },
  );
  await t.rejects(
    put((copy) => writeFile(join(copy, 'b.tar.001'), Buffer.alloc(4096))),
    { message: /b\.tar\.001 is damaged/ },
  );
});
