import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import { resolveInRoot } from '../../../../src/kubelet/volumes/resolve-in-root.js';
import { bindSubpath, subPathOf } from '../../../../src/kubelet/volumes/subpath.js';
import { makeFakeMounter } from '../../../fakes/fake-mounter.js';

t.test('the path within the volume', async (test) => {
  const environment = new Map([
    ['POD_NAME', 'web-0'],
    ['EMPTY', ''],
    ['UP', '..'],
    ['ROOT', '/tmp'],
  ]);
  const mount = { name: 'v', mountPath: '/m' };
  test.equal(subPathOf(mount, environment), '');
  test.equal(subPathOf({ ...mount, subPath: 'a/b' }, environment), 'a/b');
  test.equal(
    subPathOf({ ...mount, subPathExpr: 'logs/$(POD_NAME)/$$(POD_NAME)' }, environment),
    'logs/web-0/$(POD_NAME)',
  );
  const cases = [
    [{ subPathExpr: '$(NOPE)/$(EMPTY)' }, 'missing value for EMPTY, NOPE'],
    [{ subPathExpr: '$(ROOT)' }, 'error SubPath `/tmp` must not be an absolute path'],
    [{ subPathExpr: 'a/$(UP)/b' }, "unable to provision SubPath `a/../b`: must not contain '..'"],
    [{ subPath: '/etc' }, 'error SubPath `/etc` must not be an absolute path'],
  ] as const;
  for (const [spec, message] of cases) {
    test.throws(() => subPathOf({ ...mount, ...spec }, environment), { reason: 'CreateContainerConfigError', message });
  }
});

async function setUp(test: Test) {
  const dir = test.testdir();
  const volumePath = join(dir, 'volume');
  await mkdir(volumePath);
  await mkdir(join(dir, 'outside'));
  await writeFile(join(dir, 'outside/secret'), 'x');
  const mounter = makeFakeMounter();
  const bind = (subPath: string, hostRoot = '') =>
    bindSubpath(
      {
        subPath,
        volumePath: hostRoot === '' ? volumePath : volumePath.slice(hostRoot.length),
        target: join(dir, 'pods/target/0'),
        volume: 'v',
        container: 'c',
      },
      { identity: { hostRoot }, mounter, logger: silentLogger },
    );
  return { dir, volumePath, mounter, bind };
}

t.test('makes a missing folder with the mode of the volume and binds what was opened', async (test) => {
  const { dir, volumePath, mounter, bind } = await setUp(test);
  const { chmod } = await import('node:fs/promises');
  await chmod(volumePath, 0o2777);
  test.equal(await bind('a/b'), join(dir, 'pods/target/0'));
  test.equal((await stat(join(volumePath, 'a/b'))).mode & 0o7777, 0o2777);
  test.match(mounter.requests, [
    { source: join(volumePath, 'a/b'), target: join(dir, 'pods/target/0'), options: ['bind'] },
  ]);
  test.ok((await lstat(join(dir, 'pods/target/0'))).isDirectory());
});

t.test('a file gets a file as its mount point, through links inside the volume', async (test) => {
  const { dir, volumePath, mounter, bind } = await setUp(test);
  await mkdir(join(volumePath, '..1'));
  await writeFile(join(volumePath, '..1/key'), 'x');
  await symlink('..1', join(volumePath, '..data'));
  await symlink('..data/key', join(volumePath, 'key'));
  await bind('key');
  test.equal(mounter.requests[0]?.source, join(volumePath, '..1/key'));
  test.equal(await readFile(join(dir, 'pods/target/0'), 'utf8'), '');
});

t.test('links never lead out', async (test) => {
  const message = 'failed to prepare subPath for volumeMount "v" of container "c"';
  const cases = [
    ['a link up', '../outside', 'link', message],
    ['through a link up', '../outside', 'link/secret', message],
    ['an absolute link', '/etc', 'link', message],
    ['a loop', 'link', 'link', 'failed to create subPath directory for volumeMount "v" of container "c"'],
    [
      'making a folder outside',
      '../outside',
      'link/new',
      'failed to create subPath directory for volumeMount "v" of container "c"',
    ],
    [
      'a dangling link out',
      '../new',
      'link',
      'failed to create subPath directory for volumeMount "v" of container "c"',
    ],
  ] as const;
  for (const [name, target, subPath, text] of cases) {
    await test.test(name, async (inner) => {
      const { dir, volumePath, mounter, bind } = await setUp(inner);
      await symlink(target, join(volumePath, 'link'));
      await inner.rejects(bind(subPath), { reason: 'CreateContainerConfigError', message: text });
      inner.same(mounter.requests, []);
      inner.same(await readdir(join(dir, 'outside')), ['secret']);
      inner.notOk((await readdir(dir)).includes('new'));
    });
  }
});

t.test('absolute links are read as the host reads them', async (test) => {
  const { dir, volumePath, mounter, bind } = await setUp(test);
  await mkdir(join(volumePath, 'real'));
  await symlink('/volume/real', join(volumePath, 'link'));
  await bind('link', dir);
  test.equal(mounter.requests[0]?.source, join(volumePath, 'real'));
  test.same(await resolveInRoot(dir, '/volume/link/x/../y/z'), { path: '/volume/real/y/z', missing: 2 });
});

t.test('a bind of another file is replaced', async (test) => {
  const { volumePath, mounter, bind } = await setUp(test);
  await mkdir(join(volumePath, 'a'));
  await bind('a');
  await bind('a');
  test.equal(mounter.table.length, 1, 'what the fake bound is another folder, so that it went before');
  test.equal(mounter.requests.length, 2);
});
