import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { HyperupError } from '../../../src/base/errors.js';
import { ignoreProgress } from '../../../src/base/progress.js';
import { ensureDirectory, writeHostFile } from '../../../src/host/changes.js';
import { openJournal } from '../../../src/host/journal.js';
import { keptPaths, undoChanges } from '../../../src/provision/undo-changes.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';

async function makeScene(t: Test) {
  const dir = await mkdtemp(join(tmpdir(), 'undo-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const journal = await openJournal({ dir: join(dir, 'state'), clock: systemClock });
  const run = async (file: string, args: readonly string[]) => ({
    command: [file, ...args].join(' '),
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
  const engine = makeFakeEngine();
  const base = {
    journal,
    engine,
    host: { root: '', run },
    emit: ignoreProgress,
    keepPaths: new Set<string>(),
    purgeImages: false,
    toolsImage: undefined,
  };
  return { dir, journal, engine, base };
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

t.test('newest first, until nothing stands', async (t) => {
  const { dir, journal, base } = await makeScene(t);
  const config = join(dir, 'etc');
  await mkdir(config);
  await writeFile(join(config, 'foreign'), 'before');
  await writeHostFile(journal, join(config, 'foreign'), 'after', 0o644);
  await ensureDirectory(journal, join(config, 'pki'), 0o700, true);
  await writeHostFile(journal, join(config, 'pki', 'ca.key'), 'secret', 0o600);
  const result = await undoChanges(base);
  t.strictSame(result.failures, []);
  t.equal(await readFile(join(config, 'foreign'), 'utf8'), 'before');
  t.notOk(await exists(join(config, 'pki')));
  t.strictSame(journal.entries(), []);
  await journal.close();
  t.notOk(await exists(join(dir, 'state')), 'the journal goes with the last change');
});

t.test('a folder that is to be kept stays', async (t) => {
  const { dir, journal, base } = await makeScene(t);
  const data = join(dir, 'etcd');
  await ensureDirectory(journal, data, 0o700, true);
  await writeFile(join(data, 'db'), 'data');
  const result = await undoChanges({ ...base, keepPaths: new Set([data]) });
  t.strictSame(result.kept, [`${data}: kept`]);
  t.ok(await exists(join(data, 'db')));
  t.match(journal.entries(), [{ change: { kind: 'directory', path: data, kept: true } }], 'it is still ours');
  const paths = keptPaths(journal.entries().map(({ change }) => change));
  t.strictSame(paths, [data], 'a roll-back knows not to take it');
  const again = await undoChanges({ ...base, keepPaths: new Set(paths) });
  t.match(again, { undone: 0, kept: [`${data}: kept`] });
  t.equal(journal.entries().length, 1, 'told to keep it twice, it stays once');
  await journal.close();
  const reopened = await openJournal({ dir: join(dir, 'state'), clock: systemClock });
  t.match(await undoChanges({ ...base, journal: reopened }), { undone: 1, kept: [], failures: [] });
  t.notOk(await exists(data), 'not told to keep it, it goes');
  await reopened.close();
  t.notOk(await exists(join(dir, 'state')));
});

t.test('images stay unless they are to go, and then the former tag comes back', async (t) => {
  const { journal, engine, base } = await makeScene(t);
  const former = engine.addImage('other:1', { content: 'former' });
  engine.addImage('k8s.gcr.io/pause:3.2', { content: 'ours' });
  const change = {
    kind: 'imageTag',
    reference: 'k8s.gcr.io/pause:3.2',
    previousId: former,
    pulledAs: undefined,
  } as const;
  await journal.record(change);
  t.strictSame((await undoChanges(base)).kept, ['image k8s.gcr.io/pause:3.2']);
  t.ok(await engine.inspectImage('k8s.gcr.io/pause:3.2'));
  await journal.record(change);
  t.strictSame((await undoChanges({ ...base, purgeImages: true })).kept, []);
  t.equal((await engine.inspectImage('k8s.gcr.io/pause:3.2'))?.id, former);
  await journal.close();
});

t.test('what fails stays in the journal and does not hold the rest', async (t) => {
  const { dir, journal, engine, base } = await makeScene(t);
  await ensureDirectory(journal, join(dir, 'made'), 0o755, true);
  await journal.record({ kind: 'container', name: 'hyperup-kubelet', labels: { a: 'b' } });
  engine.failNext('listContainers', new HyperupError('EngineUnreachable', 'gone'));
  const first = await undoChanges(base);
  t.equal(first.failures.length, 1);
  t.notOk(await exists(join(dir, 'made')), 'the folder went all the same');
  t.strictSame(
    journal.entries().map(({ change }) => change.kind),
    ['container'],
  );
  const second = await undoChanges(base);
  t.strictSame(second.failures, [], 'the next run goes on');
  await journal.close();
});

t.test('without an engine containers are left for later, with a hint', async (t) => {
  const { journal, base } = await makeScene(t);
  await journal.record({ kind: 'container', name: 'hyperup-kubelet', labels: { a: 'b' } });
  const { failures } = await undoChanges({ ...base, engine: undefined });
  t.match(failures, [{ code: 'EngineUnreachable', hint: /uninstall again/ }]);
  t.equal(journal.entries().length, 1);
  await journal.close();
});
