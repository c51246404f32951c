import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openJournal } from '../../../src/host/journal.js';
import { ensureSharedMount, realPathOf } from '../../../src/host/shared-mount.js';
import { undoHostChange } from '../../../src/host/undo.js';
import { makeFakeMounts } from './fake-mounts.js';
import { makeClock, makeTempDir } from './support.js';

async function setUp(t: Test) {
  const dir = await makeTempDir(t);
  const journal = await openJournal({ dir: join(dir, 'state'), clock: makeClock() });
  t.teardown(() => journal.close());
  const fake = await makeFakeMounts(t);
  const path = join(dir, 'kubelet');
  const kinds = () => journal.entries().map(({ change }) => change.kind);
  return { ...fake, dir, journal, path, kinds };
}

t.test('on a private mount the folder is bound on itself and shared, once', async (t) => {
  const { host, journal, path, kinds, commands, mounts } = await setUp(t);
  t.equal(await ensureSharedMount(journal, path, host), true);
  t.same(commands, [`mount --bind ${path} ${path}`, `mount --make-rshared ${path}`]);
  t.same(kinds(), ['directory', 'sharedMount']);
  t.equal(await ensureSharedMount(journal, path, host), false);
  t.equal(commands.length, 2);
  t.equal(kinds().length, 2);
  await undoHostChange({ kind: 'sharedMount', path }, host);
  t.same(
    mounts.map(({ point }) => point),
    ['/'],
  );
});

t.test('on a shared mount nothing happens', async (t) => {
  const { host, journal, path, kinds, commands, mounts } = await setUp(t);
  const [root] = mounts;
  if (root) root.shared = true;
  await host.run('mount', ['--make-rshared', '/']);
  commands.length = 0;
  await mkdir(path);
  t.equal(await ensureSharedMount(journal, path, host), false);
  t.same({ commands, kinds: kinds() }, { commands: [], kinds: [] });
});

t.test('a run that was stopped between bind and sharing is finished, without a second bind', async (t) => {
  const { host, journal, path, kinds, commands, mounts } = await setUp(t);
  await mkdir(path);
  await journal.record({ kind: 'sharedMount', path });
  await host.run('mount', ['--bind', path, path]);
  commands.length = 0;
  t.equal(await ensureSharedMount(journal, path, host), true);
  t.same(commands, [`mount --make-rshared ${path}`]);
  t.same(kinds(), ['sharedMount']);
  t.equal(mounts.length, 2);
});

t.test('a private disk of the user’s on the folder is bound over, and is there again afterwards', async (t) => {
  const { host, journal, path, mounts, add } = await setUp(t);
  await mkdir(path);
  add(path, { device: '8:2' });
  t.equal(await ensureSharedMount(journal, path, host), true);
  t.same(
    mounts.map(({ point, shared }) => [point === path, shared]),
    [
      [false, false],
      [true, false],
      [true, true],
    ],
  );
  await undoHostChange({ kind: 'sharedMount', path }, host);
  await undoHostChange({ kind: 'sharedMount', path }, host);
  t.same(
    mounts.map(({ device }) => device),
    ['8:1', '8:2'],
  );
});

t.test('the journal names what a symbolic link leads to', async (t) => {
  const { host, journal, dir, path } = await setUp(t);
  await mkdir(path);
  await symlink(path, join(dir, 'link'));
  t.equal(await ensureSharedMount(journal, join(dir, 'link'), host), true);
  t.match(journal.entries().at(-1)?.change, { kind: 'sharedMount', path });
  t.equal(await realPathOf(join(dir, 'link', 'a', 'b')), join(path, 'a', 'b'));
});

t.test('a mount program that refuses is an error with its words, and the journal knows of the try', async (t) => {
  const { host, journal, path, kinds } = await setUp(t);
  const run = async () => ({ command: 'mount --bind', exitCode: 32, stdout: '', stderr: 'must be superuser' });
  await t.rejects(ensureSharedMount(journal, path, { ...host, run }), {
    code: 'HostChangeFailed',
    output: 'must be superuser',
  });
  t.same(kinds(), ['directory', 'sharedMount']);
});
