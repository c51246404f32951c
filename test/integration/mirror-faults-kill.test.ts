import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { pushBlobSet } from '../faults/blob-set.js';
import { startFaultProxy } from '../faults/fault-proxy.js';
import { digestOfFile } from '../faults/fetch-scene.js';
import { startRegistry } from '../fixtures/registry.js';

const isFull = process.env['HYPERUP_FAULTS'] === 'full';
const size = isFull ? 600e6 : 300e6;
/** What lies in the kernel's buffers when a process is killed is lost, some MB on a busy machine: 5 % must be more. */
const shares = isFull ? [0.25, 0.5, 0.75] : [0.25, 0.5];
const program = fileURLToPath(new URL('../faults/fetch-child.js', import.meta.url));
const path = 'faults/large';

t.setTimeout(600_000);

const registry = await startRegistry();
const folder = await mkdtemp(join(tmpdir(), 'hyperup-kill-'));
t.teardown(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});
const [blob] = await pushBlobSet({ host: registry.host, path, sizes: [size], seed: 3 });
if (blob === undefined) throw new Error('no blob');
const { digest } = blob;

/** Ways that need one connection, and many. */
const links = [
  { name: 'held in all', options: { totalBytesPerSecond: 60e6 } },
  { name: 'each connection held', options: { connectionBytesPerSecond: 8e6 } },
];

for (const { name, options } of links) {
  t.test(`kill -9 on a link ${name}: the next run moves what was missing`, async (t) => {
    for (const share of shares) {
      const target = await mkdtemp(join(folder, 'run-'));
      const file = join(target, 'blob');
      const proxy = await startFaultProxy({ target: registry.host, ...options });
      const run = (): ChildProcess =>
        spawn(process.execPath, [program, proxy.host, path, digest, String(size), file], {
          stdio: ['ignore', 'inherit', 'inherit'],
        });
      const first = run();
      const killed = ended(first);
      while (proxy.blobBytes < size * share && first.exitCode === null) await delay(5);
      first.kill('SIGKILL');
      await killed;
      const missing = size - proxy.blobBytes;
      t.ok(missing > 0, `killed after ${Math.round(share * 100)} %`);
      t.notOk((await readdir(target)).includes('blob'), 'it is not there yet');

      const before = proxy.blobBytes;
      t.equal(await ended(run()), 0);
      const moved = proxy.blobBytes - before;
      t.ok(moved <= missing * 1.05, `moved ${moved} bytes of ${missing} missing: ${(moved / missing).toFixed(4)}`);
      t.equal(await digestOfFile(file), digest);
      t.strictSame(await readdir(target), ['blob'], 'and nothing beside it');
      await proxy.stop();
      await rm(target, { recursive: true });
    }
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
