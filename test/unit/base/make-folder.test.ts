import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder, withFolder } from '../../../src/base/make-folder.js';

t.test('folders are made, those above them too, all with the mode', async (t) => {
  const dir = t.testdir();
  await makeFolder(join(dir, 'a/b/c'), 0o700);
  for (const path of ['a', 'a/b', 'a/b/c']) t.equal((await stat(join(dir, path))).mode & 0o777, 0o700, path);
});

t.test('what is there stays as it is', async (t) => {
  const dir = t.testdir({ a: {} });
  await chmod(join(dir, 'a'), 0o750);
  await symlink(join(dir, 'a'), join(dir, 'link'));
  await makeFolder(join(dir, 'a'), 0o700);
  await makeFolder(join(dir, 'link/b'));
  await makeFolder('/');
  t.equal((await stat(join(dir, 'a'))).mode & 0o777, 0o750);
  t.ok((await stat(join(dir, 'a/b'))).isDirectory());
});

t.test('many at once make the same', async (t) => {
  const path = join(t.testdir(), 'a/b/c/d');
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(path)));
  t.ok((await stat(path)).isDirectory());
});

t.test('what cannot be made is told', async (t) => {
  const dir = t.testdir();
  await writeFile(join(dir, 'file'), '');
  await mkdir(join(dir, 'real'));
  await symlink(join(dir, 'gone'), join(dir, 'dangling'));
  await t.rejects(makeFolder(join(dir, 'file')), { code: 'EEXIST' }, 'a file is there');
  await t.rejects(makeFolder(join(dir, 'file/a')), { code: 'ENOTDIR' }, 'a file is above it');
  await t.rejects(makeFolder(join(dir, 'dangling')), { code: 'EEXIST' }, 'a link that leads nowhere');
  await t.rejects(makeFolder(join(dir, 'dangling/a')), { code: 'EEXIST' }, 'a link that leads nowhere, above it');
});

t.test('a file system that says ENOENT whatever is above: it ends', async (t) => {
  await t.rejects(makeFolder('/proc/hyperup-test'), { code: 'ENOENT' });
  await t.rejects(makeFolder('/proc/hyperup-test/a/b'), { code: 'ENOENT' });
});

t.test('what needs a folder is tried again once it is there, and only then', async (t) => {
  const file = join(t.testdir(), 'a/b/file');
  let tries = 0;
  const write = async () => {
    tries += 1;
    await writeFile(file, 'x');
  };
  await withFolder(join(file, '..'), write, 0o700);
  t.equal(tries, 2);
  t.equal((await stat(join(file, '..'))).mode & 0o777, 0o700);
  await withFolder(join(file, '..'), write);
  t.equal(tries, 3);
  const cause = Object.assign(new Error('gone'), { code: 'ENOENT' });
  const always = async () => {
    tries += 1;
    throw new Error('translated', { cause });
  };
  await t.rejects(withFolder(join(file, '..'), always), { message: 'translated' });
  t.equal(tries, 5, 'the cause counts too; not for ever');
  const other = async () => {
    tries += 1;
    throw Object.assign(new Error('denied'), { code: 'EACCES' });
  };
  await t.rejects(withFolder(join(file, '..'), other), { code: 'EACCES' });
  t.equal(tries, 6);
});
