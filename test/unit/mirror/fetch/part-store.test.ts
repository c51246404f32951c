import { createHash } from 'node:crypto';
import { access, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { identify } from '../../../../src/host/lock.js';
import { createBlobFetcher } from '../../../../src/mirror/fetch/blob-fetcher.js';
import { claimPart } from '../../../../src/mirror/fetch/part-claim.js';
import { makeNoteLines, makeNotesHead, parseNotes } from '../../../../src/mirror/fetch/part-notes.js';
import { openDiskPart } from '../../../../src/mirror/fetch/part-store.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeContent, makeFakeOrigin, passTime } from './fake-origin.js';

const identity = { digest: `sha256:${'a'.repeat(64)}`, size: 1000 };
const other = { digest: `sha256:${'b'.repeat(64)}`, size: 1000 };

t.test('notes: a torn last line is left out, all else must be right', async (t) => {
  const head = makeNotesHead(identity);
  const ranges = [
    { start: 0, end: 10 },
    { start: 500, end: 1000 },
  ];
  t.strictSame(parseNotes(head + makeNoteLines(ranges), identity), ranges);
  t.strictSame(parseNotes(`${head}0 10\n500 10`, identity), [{ start: 0, end: 10 }]);
  const bad: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a torn head', head.slice(0, -1)],
    ['another blob', `${makeNotesHead(other)}0 10\n`],
    ['another size', `${makeNotesHead({ ...identity, size: 999 })}0 10\n`],
    ['beyond the end', `${head}0 1001\n`],
    ['backwards', `${head}10 10\n`],
    ['no numbers', `${head}zero ten\n`],
    ['an empty line', `${head}\n0 10\n`],
    ['zeros where a block was lost', `${head}${'\0'.repeat(20)}\n`],
  ];
  for (const [name, text] of bad) t.equal(parseNotes(text, identity), undefined, name);
});

t.test('a part file goes on where it was left', async (t) => {
  const path = join(t.testdir(), 'blob');
  const partPath = `${path}.part`;
  const open = () => openDiskPart({ identity, path, partPath, sync: true, logger: silentLogger });
  const first = await open();
  t.strictSame(first.found, []);
  await first.write(100, [Buffer.alloc(50, 1), Buffer.alloc(50, 2)]);
  await first.note([{ start: 100, end: 200 }]);
  await first.close(false);
  // As a killed process leaves it.
  await writeFile(`${partPath}.notes`, `${await readFile(`${partPath}.notes`, 'utf8')}300 4`);

  const second = await open();
  t.strictSame(second.found, [{ start: 100, end: 200 }]);
  t.strictSame(await second.read(149, 2), Buffer.from([1, 2]));
  await second.write(0, [Buffer.alloc(100, 3)]);
  await second.note([{ start: 0, end: 100 }]);
  await second.close(false);

  const third = await open();
  t.strictSame(third.found, [
    { start: 100, end: 200 },
    { start: 0, end: 100 },
  ]);
  await t.rejects(third.read(100, 500), { code: 'HostChangeFailed', message: /it ends at 200/ });
  await third.write(200, [Buffer.alloc(800, 4)]);
  await third.complete();
  t.strictSame(await readdir(join(path, '..')), ['blob']);
  t.equal((await readFile(path)).length, 1000);
});

t.test('foreign or damaged notes, or a part file that is gone: from the start', async (t) => {
  const cases: readonly (readonly [string, string | undefined, number])[] = [
    ['no notes', undefined, 500],
    ['of another blob', `${makeNotesHead(other)}0 10\n`, 500],
    ['the file is shorter than they claim', `${makeNotesHead(identity)}0 600\n`, 500],
  ];
  for (const [name, notes, size] of cases) {
    const path = join(t.testdir(), 'blob');
    const partPath = `${path}.part`;
    await writeFile(partPath, Buffer.alloc(size, 9));
    if (notes !== undefined) await writeFile(`${partPath}.notes`, notes);
    const store = await openDiskPart({ identity, path, partPath, sync: false, logger: silentLogger });
    t.strictSame(store.found, [], name);
    t.equal((await stat(partPath)).size, 0, name);
    await t.rejects(access(`${partPath}.notes`), name);
    await store.close(true);
    t.strictSame(await readdir(join(path, '..')), [], name);
  }
});

t.test('one at a time: who comes second waits, or goes beside one that stands still', async (t) => {
  const path = join(t.testdir(), 'blob');
  const clock = makeManualClock();
  const identity = await identify({ root: '' }, process.pid);
  const claim = (suffix: string, signal?: AbortSignal) =>
    claimPart({ path, clock, logger: silentLogger, signal, identity, patienceMs: 5000, suffix });
  const first = await claim('1');
  t.equal(first.isPrivate, false);
  const beside = await real(clock, claim('2'));
  t.strictSame([beside.partPath, beside.isPrivate], [`${path}.part.2`, true]);
  const stop = new AbortController();
  const third = claim('3', stop.signal);
  stop.abort();
  await t.rejects(third, { code: 'Aborted' });
  await beside.release();
  await first.release();
  const fourth = await claim('4');
  t.equal(fourth.isPrivate, false);
  await fourth.release();
});

t.test('on the disk: the file is there whole, or not at all', async (t) => {
  const folder = join(t.testdir(), 'made', 'for', 'it');
  const path = join(folder, 'blob');
  const { content, blob } = makeContent(300_000);
  const clock = makeManualClock();
  const fetcher = createBlobFetcher({ clock, logger: silentLogger });
  const liar = makeFakeOrigin({ name: 'liar', content, clock, behaviour: () => ({ kind: 'flip', at: 7 }) });
  await t.rejects(real(clock, fetcher.fetch({ blob, origins: [liar], path })), { code: 'DigestMismatch' });
  t.notOk((await readdir(folder)).includes('blob'));

  const origin = makeFakeOrigin({ name: 'a', content, clock });
  await real(clock, Promise.all([1, 2].map(() => fetcher.fetch({ blob, origins: [origin], path }))));
  t.equal(
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
    blob.digest.slice(7),
  );
  t.equal(origin.asked.length, 1, 'two fetches of one path at once move it once');
  t.strictSame(await readdir(folder), ['blob']);

  const stop = new AbortController();
  const slow = makeFakeOrigin({ name: 'slow', content, clock, behaviour: () => ({ kind: 'hang' }) });
  const elsewhere = `${path}-2`;
  const first = fetcher.fetch({ blob, origins: [slow], path: elsewhere, signal: stop.signal });
  const second = fetcher.fetch({ blob, origins: [slow], path: elsewhere, signal: AbortSignal.timeout(1) });
  await t.rejects(second, { code: 'Aborted' }, 'one that waits for the same path heeds its own signal');
  stop.abort();
  await t.rejects(first, { code: 'Aborted' });
  t.strictSame(await readdir(folder), ['blob']);

  const told: (string | undefined)[] = [];
  const chunks: Buffer[] = [];
  const again = await fetcher.fetch({
    blob,
    origins: [origin],
    path,
    onBytes: (_bytes, name) => void told.push(name),
    onPrefix: (chunk) => void chunks.push(chunk),
  });
  t.strictSame([again, told], [[], [undefined]]);
  t.ok(Buffer.concat(chunks).equals(content));

  await writeFile(path, Buffer.alloc(300_000));
  await real(clock, fetcher.fetch({ blob, origins: [origin], path }));
  t.ok((await readFile(path)).equals(content), 'a wrong file of that name is replaced');
});

t.test("a folder that can't be written is said", async (t) => {
  const folder = t.testdir({ file: '' });
  const { content, blob } = makeContent(1000);
  const fetcher = createBlobFetcher({ clock: systemClock, logger: silentLogger });
  const origin = makeFakeOrigin({ name: 'a', content, clock: makeManualClock() });
  await t.rejects(fetcher.fetch({ blob, origins: [origin], path: join(folder, 'file', 'blob') }), {
    code: 'HostChangeFailed',
  });
});

/** Files take real time, which the manual clock must not run ahead of. */
async function real<T>(clock: ReturnType<typeof makeManualClock>, work: Promise<T>): Promise<T> {
  const ticking = setInterval(() => clock.advance(100), 2);
  try {
    return await work;
  } finally {
    clearInterval(ticking);
    await passTime(clock, Promise.resolve());
  }
}
