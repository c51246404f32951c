import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { localHost } from '../../src/host/host.js';
import { openJournal, readJournal } from '../../src/host/journal.js';
import { runCommand } from '../../src/host/run-command.js';
import { isPlainHostChange, undoHostChange } from '../../src/host/undo.js';
import { mountSmallDisk } from '../e2e/support/small-disk.js';

const host = localHost(runCommand);
const room = new URL('../../src/host/', import.meta.url).href;
const base = new URL('../../src/base/', import.meta.url).href;

/** Another process that has the journal and makes folders for ever, saying each on stdout once it is made. */
async function startInstaller(t: Test, state: string, target: string) {
  const script = `
    const { openJournal } = await import('${room}journal.js');
    const { ensureDirectory } = await import('${room}changes.js');
    const { systemClock } = await import('${base}clock.js');
    const journal = await openJournal({ dir: ${JSON.stringify(state)}, clock: systemClock, command: 'the first' });
    for (let i = 0; ; i += 1) {
      await ensureDirectory(journal, ${JSON.stringify(target)} + '/' + i, 0o755, true);
      console.log(i);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let made = -1;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the installer ended by itself')));
    child.stdout.on('data', (data: Buffer) => {
      made = Number(data.toString().trim().split('\n').at(-1));
      if (made >= 5) resolve();
    });
  });
  return {
    made: () => made,
    kill: () =>
      new Promise<void>((resolve) => {
        child.removeAllListeners('exit');
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

t.test('after kill -9 the next process takes the lock over and undoes all that was made', async (t) => {
  for (let round = 1; round <= 3; round += 1) {
    const dir = await mkdtemp(join(tmpdir(), 'hyperup-kill-'));
    t.teardown(() => rm(dir, { recursive: true, force: true }));
    const [state, target] = [join(dir, 'state'), join(dir, 'target')];
    const installer = await startInstaller(t, state, target);
    await t.rejects(openJournal({ dir: state, clock: systemClock }), { code: 'Locked', message: /the first/ });
    await installer.kill();
    const journal = await openJournal({ dir: state, clock: systemClock });
    const entries = journal.entries();
    t.ok(
      entries.length >= installer.made() + 2,
      `round ${round}: ${entries.length} entries for ${installer.made() + 1} folders`,
    );
    for (const { id, change } of [...entries].reverse()) {
      if (!isPlainHostChange(change)) throw new Error(change.kind);
      t.same(await undoHostChange(change, host), { kept: undefined });
      await journal.forget(id);
    }
    await journal.close();
    t.equal(await readJournal(state), undefined);
    t.same(await readdir(dir), [], `round ${round}: nothing is left`);
  }
});

t.test('a rollback needs no room, wherever the last page of the journal ends', async (t) => {
  const disk = await mountSmallDisk(t, 2 * 1024 * 1024);
  // 40 lines of some 100 bytes; the room for what is struck out runs out after none to all of them.
  for (let padding = 0; padding < 480; padding += 60) {
    const dir = join(disk.path, `state-${padding}`);
    const journal = await openJournal({ dir, clock: systemClock });
    await journal.record({ kind: 'sysctl', key: 'x'.repeat(padding), previous: '0', value: '1' });
    for (let index = 0; index < 40; index += 1) {
      await journal.record({ kind: 'directory', path: `/a/${index}`, owned: true });
    }
    await disk.leave(0);
    const ids = journal.entries().map(({ id }) => id);
    // The newest first, but for one in the middle that goes before all others, as pods do.
    const order = [20, ...ids.filter((id) => id !== 20).reverse()];
    for (const [index, id] of order.entries()) {
      await journal.forget(id);
      const left = new Set(order.slice(index + 1));
      t.same(
        (await readJournal(dir))?.map((entry) => entry.id),
        ids.filter((each) => left.has(each)),
        `padding ${padding}: after change ${id}`,
      );
    }
    await journal.close();
    t.same(await readdir(disk.path), ['filler'], 'the state folder is gone');
    await disk.empty();
  }
});
