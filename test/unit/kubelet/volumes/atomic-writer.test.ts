import { mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type FileProjection, writeAtomically } from '../../../../src/kubelet/volumes/atomic-writer.js';

const nowMs = Date.UTC(2020, 11, 31, 23, 59, 58);

function payload(files: Record<string, string>, mode = 0o644): Map<string, FileProjection> {
  return new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));
}

async function folder(test: Test): Promise<string> {
  const dir = join(test.testdir(), 'volume');
  await mkdir(dir);
  return dir;
}

t.test('shows files through ..data, with their exact modes and folders', async (test) => {
  const dir = await folder(test);
  test.equal(await writeAtomically(dir, payload({ a: 'one', 'user/labels': 'two' }, 0o606), { nowMs }), true);
  test.same((await readdir(dir)).filter((name) => !/^\.\.2020/.test(name)).sort(), ['..data', 'a', 'user']);
  test.match(await readlink(join(dir, '..data')), /^\.\.2020_12_31_23_59_58\.\w+$/);
  test.equal(await readlink(join(dir, 'user')), '..data/user');
  test.equal(await readFile(join(dir, 'user/labels'), 'utf8'), 'two');
  test.equal((await stat(join(dir, 'a'))).mode & 0o7777, 0o606);
  test.equal((await stat(join(dir, '..data/'))).mode & 0o7777, 0o755);
});

t.test('writes nothing where nothing has changed', async (test) => {
  const dir = await folder(test);
  await writeAtomically(dir, payload({ a: '1', 'b/c': '2' }), { nowMs });
  const before = await readlink(join(dir, '..data'));
  test.equal(await writeAtomically(dir, payload({ a: '1', './b//c': '2' }), { nowMs: nowMs + 1000 }), false);
  test.equal(await readlink(join(dir, '..data')), before);
});

t.test('changed, added and removed files appear together; the old folder goes', async (test) => {
  const dir = await folder(test);
  await writeAtomically(dir, payload({ stays: '1', goes: '2', 'd/x': '3', 'd/y': '4' }), { nowMs });
  test.equal(await writeAtomically(dir, payload({ stays: 'new', comes: '5', 'd/y': '4' }), { nowMs }), true);
  test.same((await readdir(dir)).filter((name) => !name.startsWith('..')).sort(), ['comes', 'd', 'stays']);
  test.same(await readdir(join(dir, 'd')), ['y']);
  test.equal((await readdir(dir)).filter((name) => name.startsWith('..2020')).length, 1);
});

t.test('a removed file alone is a change; so is a file that became a folder', async (test) => {
  const dir = await folder(test);
  await writeAtomically(dir, payload({ a: '1', b: '2' }), { nowMs });
  test.equal(await writeAtomically(dir, payload({ a: '1' }), { nowMs }), true);
  test.equal(await writeAtomically(dir, payload({ 'a/b': '1' }), { nowMs }), true);
  test.equal(await readFile(join(dir, 'a/b'), 'utf8'), '1');
});

t.test('what must be done before the switch is done before, and its failure leaves the old content', async (test) => {
  const dir = await folder(test);
  await writeAtomically(dir, payload({ a: 'old' }), { nowMs });
  const seen: string[] = [];
  const beforeSwitch = async () => {
    seen.push(await readFile(join(dir, 'a'), 'utf8'));
    throw new Error('no such group');
  };
  await test.rejects(writeAtomically(dir, payload({ a: 'new' }), { nowMs, beforeSwitch }), /no such group/);
  test.same(seen, ['old']);
  test.equal(await readFile(join(dir, 'a'), 'utf8'), 'old');
  test.equal((await readdir(dir)).filter((name) => name.startsWith('..2020')).length, 1);
});

t.test('paths that would leave the folder are refused', async (test) => {
  const dir = await folder(test);
  const cases = [
    ['', /must not be empty/],
    ['/etc/passwd', /must be relative path/],
    ['a/../../b', /must not contain '\.\.'/],
    ['..', /must not contain '\.\.'/],
    ['..data/x', /must not start with '\.\.'/],
    ['x'.repeat(256), /filenames must be less than or equal to 255/],
    ['x/'.repeat(2049), /less than or equal to 4096/],
    ['.', /must name a file/],
  ] as const;
  for (const [path, message] of cases) {
    await test.rejects(writeAtomically(dir, payload({ [path]: 'x' }), { nowMs }), { code: 'InvalidConfig', message });
  }
  test.same(await readdir(dir), []);
});
