import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openJournal, readJournal } from '../../../src/host/journal.js';
import { makeClock, makeTempDir } from './support.js';

const clock = makeClock();
const directory = (path: string) => ({ kind: 'directory', path, owned: true }) as const;

async function open(t: Test, dir?: string) {
  return openJournal({ dir: dir ?? join(await makeTempDir(t), 'var', 'hyperup'), clock });
}

t.test('a change is on the disk when record returns', async (t) => {
  const journal = await open(t);
  const entry = await journal.record(directory('/a'));
  t.match(entry, { id: 1, time: '2026-01-02T03:04:05.000Z', change: { path: '/a' } });
  t.match(await readFile(join(journal.dir, 'journal.jsonl'), 'utf8'), /"path":"\/a"/);
  t.equal((await stat(journal.dir)).mode & 0o777, 0o700);
  t.equal((await stat(join(journal.dir, 'journal.jsonl'))).mode & 0o777, 0o600);
  await journal.close();
});

t.test('changes survive: the next one goes on counting', async (t) => {
  const first = await open(t);
  await first.record(directory('/a'));
  await first.record(directory('/b'));
  await first.forget(2);
  await first.forget(2);
  await first.close();
  const second = await open(t, first.dir);
  t.same(
    second.entries().map(({ id }) => id),
    [1],
  );
  t.match(await second.record(directory('/c')), { id: 3 });
  await second.close();
  t.same(
    (await readJournal(first.dir))?.map(({ id }) => id),
    [1, 3],
  );
});

t.test('overlapping calls write whole lines in the order of the calls', async (t) => {
  const journal = await open(t);
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`);
  await Promise.all(paths.map((path) => journal.record(directory(path))));
  await journal.close();
  const entries = (await readJournal(journal.dir)) ?? [];
  t.same(
    entries.map(({ id, change }) => [id, 'path' in change && change.path]),
    paths.map((path, i) => [i + 1, path]),
  );
});

t.test('closing an empty journal leaves no trace, not even of the folders above it', async (t) => {
  const root = await makeTempDir(t);
  const journal = await open(t, join(root, 'a', 'b', 'c'));
  await journal.record(directory('/x'));
  await journal.close();
  const again = await open(t, journal.dir);
  await mkdir(join(journal.dir, 'backup'));
  await writeFile(join(journal.dir, 'backup', 'left over'), '');
  await again.forget(1);
  await again.close();
  await again.close();
  t.same(await readdir(root), []);
  t.equal(await readJournal(journal.dir), undefined);
});

t.test('folders that others use stay when the journal goes', async (t) => {
  const root = await makeTempDir(t);
  const journal = await open(t, join(root, 'a', 'b'));
  await writeFile(join(root, 'a', 'foreign'), '');
  await journal.close();
  t.same(await readdir(join(root, 'a')), ['foreign']);
  await mkdir(join(root, 'c'));
  await writeFile(join(root, 'c', 'etcd-data'), '');
  await (await open(t, join(root, 'c'))).close();
  t.same(await readdir(join(root, 'c')), ['etcd-data']);
});

t.test('a line that was cut short is dropped, and the next one is whole', async (t) => {
  const journal = await open(t);
  await journal.record(directory('/a'));
  await journal.close();
  await appendFile(join(journal.dir, 'journal.jsonl'), '{"id":2,"time":"2026');
  const again = await open(t, journal.dir);
  t.same(
    again.entries().map(({ id }) => id),
    [1],
  );
  await again.record(directory('/b'));
  await again.close();
  t.same(
    (await readJournal(journal.dir))?.map(({ change }) => 'path' in change && change.path),
    ['/a', '/b'],
  );
});

t.test('a whole last line without its newline is not glued to the next', async (t) => {
  const journal = await open(t);
  await journal.record(directory('/a'));
  await journal.close();
  const path = join(journal.dir, 'journal.jsonl');
  await writeFile(path, (await readFile(path, 'utf8')).trimEnd());
  const again = await open(t, journal.dir);
  await again.record(directory('/b'));
  await again.close();
  t.equal((await readJournal(journal.dir))?.length, 2);
});

t.test('a damaged journal is refused, unlocked again and left as it is', async (t) => {
  const dir = await makeTempDir(t);
  const text = 'nonsense\n{"undone":1}\n';
  await writeFile(join(dir, 'journal.jsonl'), text);
  await t.rejects(open(t, dir), { code: 'Conflict', message: /line 1 / });
  await t.rejects(readJournal(dir), { code: 'Conflict' });
  t.same(await readdir(dir), ['journal.jsonl']);
  t.equal(await readFile(join(dir, 'journal.jsonl'), 'utf8'), text);
});

t.test('one at a time: a second one is told who has it', async (t) => {
  const journal = await open(t);
  await t.rejects(open(t, journal.dir), {
    code: 'Locked',
    message: new RegExp(`held by process ${process.pid} \\(hyperup\\) since 2026-01-02`),
  });
  await journal.record(directory('/a'));
  await journal.close();
  await (await open(t, journal.dir)).close();
});

t.test('a closed journal takes no more changes', async (t) => {
  const journal = await open(t);
  await journal.close();
  await t.rejects(journal.record(directory('/a')), { code: 'Internal' });
});

t.test('a state folder that is a file is an error with its name', async (t) => {
  const dir = join(await makeTempDir(t), 'state');
  await writeFile(dir, '');
  await t.rejects(open(t, dir), { message: new RegExp(dir) });
  await t.rejects(open(t, join(dir, 'below')), { message: new RegExp(dir) });
});
