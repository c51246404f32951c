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
