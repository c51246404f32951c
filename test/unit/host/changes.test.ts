import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ensureDirectory, ensureOwnContents, writeHostFile } from '../../../src/host/changes.js';
import { type Journal, openJournal } from '../../../src/host/journal.js';
import { isPlainHostChange, undoHostChange } from '../../../src/host/undo.js';
import { makeFakeMounts } from './fake-mounts.js';
import { makeClock, makeTempDir } from './support.js';

async function setUp(t: Test) {
  const dir = await makeTempDir(t);
  await mkdir(join(dir, 'etc'));
  const journal = await openJournal({ dir: join(dir, 'state'), clock: makeClock() });
  t.teardown(() => journal.close());
  const { host, add } = await makeFakeMounts(t);
  const undoAll = async () => {
    const kept: (string | undefined)[] = [];
    for (const { id, change } of [...journal.entries()].reverse()) {
      if (!isPlainHostChange(change)) throw new Error(change.kind);
      kept.push((await undoHostChange(change, host)).kept);
      await journal.forget(id);
    }
    return kept.filter((line) => line !== undefined);
  };
  return { dir, etc: join(dir, 'etc'), journal, host, add, undoAll };
}

const subjects = (journal: Journal) => journal.entries().map(({ change }) => 'path' in change && change.path);
const mode = async (path: string) => (await stat(path)).mode & 0o7777;

t.test('folders: each missing one is journaled, the outer ones as not owned', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  const path = join(etc, 'a', 'b', 'c');
  t.equal(await ensureDirectory(journal, path, 0o700, true), true);
  t.equal(await ensureDirectory(journal, path, 0o700, true), false);
  t.same(
    journal.entries().map(({ change }) => change),
    [
      { kind: 'directory', path: join(etc, 'a'), owned: false },
      { kind: 'directory', path: join(etc, 'a', 'b'), owned: false },
      { kind: 'directory', path, owned: true },
    ],
  );
  t.equal(await mode(path), 0o700);
  t.equal(await mode(join(etc, 'a')), 0o755);
  await writeFile(join(path, 'content'), '');
  t.same(await undoAll(), []);
  t.same(await readdir(etc), []);
});

t.test('of a folder that was there before, only what came into it goes', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  const logs = join(etc, 'logs');
  await mkdir(join(logs, 'pods'), { recursive: true });
  await writeFile(join(logs, 'foreign'), 'mine');
  for (let run = 0; run < 2; run += 1) {
    await ensureOwnContents(journal, logs, 0o755);
    await mkdir(join(logs, 'ours', 'deep'), { recursive: true });
    await symlink('/nowhere', join(logs, 'pods', 'link'));
    if (run === 0) {
      t.same(subjects(journal), [join(logs, 'pods'), logs]);
      await rm(join(logs, 'pods', 'link'));
    }
  }
  t.same(subjects(journal), [join(logs, 'pods'), logs], 'what the first run made is not taken for foreign');
  t.same(await undoAll(), []);
  t.same((await readdir(logs, { recursive: true })).sort(), ['foreign', 'pods']);
});

t.test('a folder that was not there is ours with all in it', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  for (let run = 0; run < 2; run += 1) await ensureOwnContents(journal, join(etc, 'logs'), 0o755);
  await writeFile(join(etc, 'logs', 'a'), '');
  t.same(
    journal.entries().map(({ change }) => change),
    [{ kind: 'directory', path: join(etc, 'logs'), owned: true }],
  );
  t.same(await undoAll(), []);
  t.same(await readdir(etc), []);
});

t.test('a foreign folder keeps its mode and stays; one of ours gets its mode back', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  await mkdir(join(etc, 'foreign'), { mode: 0o750 });
  t.equal(await ensureDirectory(journal, join(etc, 'foreign'), 0o700, true), false);
  t.equal(await mode(join(etc, 'foreign')), 0o750);
  await ensureDirectory(journal, join(etc, 'ours'), 0o700, true);
  await chmod(join(etc, 'ours'), 0o777);
  await ensureDirectory(journal, join(etc, 'ours'), 0o700, true);
  t.equal(await mode(join(etc, 'ours')), 0o700);
  await undoAll();
  t.same(await readdir(etc), ['foreign']);
});

t.test('a folder in which others put files stays, and undo says so', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  await ensureDirectory(journal, join(etc, 'a', 'b'), 0o755, true);
  await writeFile(join(etc, 'a', 'foreign'), '');
  t.match(await undoAll(), [/etc\/a: others have files in it/]);
  t.same(await readdir(join(etc, 'a')), ['foreign']);
});

t.test('what is no folder is refused by name', async (t) => {
  const { etc, journal } = await setUp(t);
  await writeFile(join(etc, 'file'), '');
  await symlink('/nowhere', join(etc, 'link'));
  await t.rejects(ensureDirectory(journal, join(etc, 'file'), 0o755, true), { code: 'Conflict' });
  await t.rejects(ensureDirectory(journal, join(etc, 'file', 'a'), 0o755, true), { code: 'Conflict' });
  await t.rejects(ensureDirectory(journal, join(etc, 'link'), 0o755, true), {
    code: 'Conflict',
    message: /points nowhere/,
  });
  t.same(subjects(journal), []);
});

t.test('undo never deletes through a mount', async (t) => {
  const { etc, journal, host, add, undoAll } = await setUp(t);
  const path = join(etc, 'ours');
  await ensureDirectory(journal, path, 0o755, true);
  await mkdir(join(path, 'volume'));
  add(join(path, 'volume'), { device: '8:9' });
  const stuck = { ...host, run: async () => ({ command: 'umount', exitCode: 1, stdout: '', stderr: 'busy' }) };
  await t.rejects(undoHostChange({ kind: 'directory', path, owned: true }, stuck), { code: 'LeftBehind' });
  t.same(await readdir(path), ['volume']);
  add(path, { device: '8:9' });
  await t.rejects(undoAll(), { code: 'LeftBehind', message: /is mounted on it/ });
  t.same(await readdir(path), ['volume']);
});

t.test('undo leaves what took the place of what was made', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  await ensureDirectory(journal, join(etc, 'a'), 0o755, true);
  await writeHostFile(journal, join(etc, 'b'), 'text', 0o644);
  await mkdir(join(etc, 'precious'));
  await writeFile(join(etc, 'precious', 'data'), '');
  await rm(join(etc, 'a'), { recursive: true });
  await symlink(join(etc, 'precious'), join(etc, 'a'));
  await rm(join(etc, 'b'));
  await mkdir(join(etc, 'b'));
  t.match(await undoAll(), [/b: a folder now/, /a: no longer the folder/]);
  t.same(await readdir(join(etc, 'precious')), ['data']);
});

t.test('files: new ones are journaled and removed, with the folders made for them', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  const path = join(etc, 'kubernetes', 'pki', 'ca.key');
  t.equal(await writeHostFile(journal, path, 'secret', 0o600), true);
  t.equal(await mode(path), 0o600);
  t.equal(await writeHostFile(journal, path, 'secret', 0o600), false);
  t.equal(await writeHostFile(journal, path, Buffer.from('changed'), 0o640), true);
  t.equal(await readFile(path, 'utf8'), 'changed');
  t.equal(await mode(path), 0o640);
  t.same(subjects(journal), [join(etc, 'kubernetes'), join(etc, 'kubernetes', 'pki'), path]);
  t.same(await undoAll(), []);
  t.same(await readdir(etc), []);
});

t.test('a foreign file comes back as it was, whatever was written over it', async (t) => {
  const { dir, etc, journal, undoAll } = await setUp(t);
  const path = join(etc, 'daemon.json');
  await writeFile(path, 'theirs');
  await chmod(path, 0o640);
  await utimes(path, 1000, 2000);
  const before = await stat(path);
  await writeHostFile(journal, path, 'ours', 0o644);
  await writeHostFile(journal, path, 'ours again', 0o644);
  t.equal(journal.entries().length, 1);
  const [backup = ''] = await readdir(join(dir, 'state', 'backup'));
  t.equal(await readFile(join(dir, 'state', 'backup', backup), 'utf8'), 'theirs');
  t.equal(await mode(join(dir, 'state', 'backup')), 0o700);
  t.same(await undoAll(), []);
  const after = await stat(path);
  t.equal(await readFile(path, 'utf8'), 'theirs');
  t.same([after.mode, after.uid, after.gid, after.mtimeMs], [before.mode, before.uid, before.gid, before.mtimeMs]);
  t.same(await readdir(etc), ['daemon.json']);
});

t.test('two files of one name in different folders have a copy each', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  const paths = ['a', 'b'].map((folder) => join(etc, folder, 'config'));
  for (const path of paths) {
    await mkdir(join(path, '..'));
    await writeFile(path, `theirs ${path}`);
    await writeHostFile(journal, path, 'ours', 0o644);
  }
  await undoAll();
  for (const path of paths) t.equal(await readFile(path, 'utf8'), `theirs ${path}`);
});

t.test('a foreign file that is as wanted already isn’t touched', async (t) => {
  const { etc, journal } = await setUp(t);
  const path = join(etc, 'same');
  await writeFile(path, 'text');
  await chmod(path, 0o644);
  t.equal(await writeHostFile(journal, path, 'text', 0o644), false);
  t.same(subjects(journal), []);
});

t.test('through a symbolic link: the link stays, what it leads to comes back', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  await writeFile(join(etc, 'real'), 'theirs');
  await symlink('real', join(etc, 'link'));
  await writeHostFile(journal, join(etc, 'link'), 'ours', 0o644);
  t.equal(await readFile(join(etc, 'real'), 'utf8'), 'ours');
  await undoAll();
  t.equal(await readFile(join(etc, 'real'), 'utf8'), 'theirs');
  t.ok((await stat(join(etc, 'link'))).isFile());
});

t.test('undo can be stopped anywhere and run again', async (t) => {
  const { etc, journal, host, undoAll } = await setUp(t);
  const path = join(etc, 'sub', 'config');
  await mkdir(join(etc, 'sub'));
  await writeFile(path, 'theirs');
  await writeHostFile(journal, path, 'ours', 0o644);
  const [entry] = journal.entries();
  if (entry?.change.kind !== 'file') throw new Error('no file entry');
  t.same(await undoHostChange(entry.change, host), { kept: undefined });
  t.same(await undoHostChange(entry.change, host), { kept: undefined });
  t.equal(await readFile(path, 'utf8'), 'theirs');
  t.same(await undoAll(), []);
  for (const change of [
    { kind: 'directory', path: join(etc, 'never'), owned: true },
    { kind: 'directory', path: join(etc, 'never', 'made'), owned: false },
    { kind: 'file', path: join(etc, 'never'), backup: undefined },
    { kind: 'sharedMount', path: join(etc, 'never') },
  ] as const) {
    t.same(await undoHostChange(change, host), { kept: undefined }, `${change.kind} that was journaled but never made`);
  }
});

t.test('a foreign file whose folder is gone comes back all the same', async (t) => {
  const { etc, journal, undoAll } = await setUp(t);
  const path = join(etc, 'sub', 'config');
  await mkdir(join(etc, 'sub'));
  await writeFile(path, 'theirs');
  await writeHostFile(journal, path, 'ours', 0o644);
  await rm(join(etc, 'sub'), { recursive: true });
  await undoAll();
  t.equal(await readFile(path, 'utf8'), 'theirs');
});

t.test('a folder in place of the file is an error with its name', async (t) => {
  const { etc, journal } = await setUp(t);
  await t.rejects(writeHostFile(journal, etc, 'x', 0o644), { message: new RegExp(etc) });
  t.same(subjects(journal), []);
});
