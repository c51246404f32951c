import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { localHost } from '../../src/host/host.js';
import { openJournal, readJournal } from '../../src/host/journal.js';
import { mountsBelow, propagationOf, readMounts } from '../../src/host/mountinfo.js';
import { runCommand } from '../../src/host/run-command.js';
import { ensureSharedMount } from '../../src/host/shared-mount.js';
import { isPlainHostChange, undoHostChange } from '../../src/host/undo.js';
import { unmountUnder } from '../../src/host/unmount.js';

const host = localHost(runCommand);
const skip = process.getuid?.() === 0 ? false : 'needs root';

/** A folder that nothing is mounted in any more, and that is gone, when the test ends. */
async function makeFolder(t: Test): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'hyperup-mounts-')));
  t.teardown(async () => {
    await unmountUnder(dir, host);
    await rm(dir, { recursive: true, force: true });
  });
  return dir;
}

async function mountPoints(dir: string): Promise<readonly string[]> {
  return mountsBelow(await readMounts(host), dir).map(({ mountPoint }) => mountPoint);
}

async function tmpfs(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  const result = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'hyperup-test', path]);
  if (result.exitCode !== 0) throw new Error(result.stderr);
}

t.test('a folder is made shared, and is as it was after undo, mounts of pods and all', { skip }, async (t) => {
  const dir = await makeFolder(t);
  // The machine's own mounts may be shared already: below a private one the bind is needed.
  await tmpfs(join(dir, 'disk'));
  await runCommand('mount', ['--make-private', join(dir, 'disk')]);
  const kubelet = join(dir, 'disk', 'var lib', 'kubelet');
  const before = await mountPoints(dir);
  const journal = await openJournal({ dir: join(dir, 'state'), clock: systemClock });

  t.equal(await ensureSharedMount(journal, kubelet, host), true);
  t.same(propagationOf(await readMounts(host), kubelet), { mountPoint: kubelet, shared: true });
  t.equal(await ensureSharedMount(journal, kubelet, host), false);
  await tmpfs(join(kubelet, 'pods', 'u', 'volumes', 'token'));

  for (const { id, change } of [...journal.entries()].reverse()) {
    if (!isPlainHostChange(change)) throw new Error(change.kind);
    // The pods' own step would have removed their folders.
    if (change.kind === 'directory') await rm(join(kubelet, 'pods'), { recursive: true, force: true });
    t.same(await undoHostChange(change, host), { kept: undefined });
    await journal.forget(id);
  }
  await journal.close();
  t.same(await mountPoints(dir), before);
  t.same(await readdir(join(dir, 'disk')), []);
  t.same(await readdir(dir), ['disk']);
});

t.test('a mount that is in use is detached', { skip }, async (t) => {
  const dir = await makeFolder(t);
  await tmpfs(join(dir, 'a'));
  await tmpfs(join(dir, 'a', 'b'));
  await writeFile(join(dir, 'a', 'b', 'open'), '');
  const user = spawn('sleep', ['600'], { cwd: join(dir, 'a', 'b'), stdio: 'ignore' });
  t.teardown(() => user.kill('SIGKILL'));
  await new Promise((resolve) => user.once('spawn', resolve));
  const outcome = await unmountUnder(dir, host);
  t.same(outcome.detached, [join(dir, 'a', 'b')]);
  t.same(outcome.left, []);
  t.same(await mountPoints(dir), []);
});

t.test('undo of an owned folder unmounts what is in it, and spares what is mounted there', { skip }, async (t) => {
  const dir = await makeFolder(t);
  const precious = join(dir, 'precious');
  await mkdir(precious);
  await writeFile(join(precious, 'data'), 'data');
  await mkdir(join(dir, 'ours', 'volume'), { recursive: true });
  await runCommand('mount', ['--bind', precious, join(dir, 'ours', 'volume')]);
  await undoHostChange({ kind: 'directory', path: join(dir, 'ours'), owned: true }, host);
  t.same(await readdir(dir), ['precious']);
  t.same(await readdir(precious), ['data']);
});

t.test('a full disk: no journal is begun and nothing is left; one that is open stays sound', { skip }, async (t) => {
  const dir = join(await makeFolder(t), 'small');
  await tmpfs(dir);
  const fill = async () => {
    // One page of the 64 kB stays for a folder or two, none for a file's content.
    await runCommand('dd', ['if=/dev/zero', `of=${join(dir, 'ballast')}`, 'bs=4k']);
  };
  const journal = await openJournal({ dir: join(dir, 'open'), clock: systemClock });
  const first = await journal.record({ kind: 'directory', path: '/a', owned: true });
  await fill();
  await t.rejects(openJournal({ dir: join(dir, 'new', 'state'), clock: systemClock }), {
    code: 'HostChangeFailed',
    message: /ENOSPC/,
    hint: /disk is full/,
  });
  t.same((await readdir(dir)).sort(), ['ballast', 'open']);

  const long = { kind: 'directory', path: `/${'b'.repeat(8000)}`, owned: true } as const;
  await t.rejects(journal.record(long), { code: 'HostChangeFailed', hint: /disk is full/ });
  t.same(journal.entries(), [first]);
  await rm(join(dir, 'ballast'));
  await journal.record(long);
  await journal.close();
  t.equal((await readJournal(join(dir, 'open')))?.length, 2, 'no half line lies between the two');
});
