import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { pathExists } from '../../../src/base/files.js';
import { buildKubeconfig } from '../../../src/kube/kubeconfig.js';
import { mergeKubeconfig } from '../../../src/kube/kubeconfig-file.js';
import { withKubeconfigLock } from '../../../src/kube/kubeconfig-lock.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

const nothing = async () => {};

t.test('a lock that somebody holds', async (t) => {
  const path = join(t.testdir({ 'config.lock': '' }), 'config');
  const clock = makeManualClock();
  const attempt = withKubeconfigLock(path, { clock, waitMs: 200 }, async () => t.fail('not while it is held'));
  const rejected = t.rejects(attempt, {
    code: 'Locked',
    message: `lock kubeconfig: ${path}.lock is still there after 0.2 s`,
    hint: new RegExp(`remove ${path}.lock`),
  });
  for (let n = 1; n <= 4; n += 1) {
    await clock.slept(n);
    clock.advance(50);
  }
  await rejected;
  t.ok(await pathExists(`${path}.lock`), 'it is not ours to remove');
});

t.test('a lock that is given up in time', async (t) => {
  const path = join(t.testdir({ 'config.lock': '' }), 'config');
  const clock = makeManualClock();
  const attempt = withKubeconfigLock(path, { clock }, async () => 'done');
  await clock.slept(1);
  await rm(`${path}.lock`);
  clock.advance(50);
  t.equal(await attempt, 'done');
  t.notOk(await pathExists(`${path}.lock`));
});

t.test('a lock of a hyperup that was killed is taken over, that of a living one is not', async (t) => {
  const path = join(t.testdir(), 'config');
  const child = promisify(execFile)(process.execPath, ['-e', '']);
  const { pid } = child.child;
  await child;
  await writeFile(`${path}.lock`, `hyperup ${pid} 12345`);
  t.equal(await withKubeconfigLock(path, { clock: makeManualClock(), waitMs: 0 }, async () => 'dead'), 'dead');
  await writeFile(`${path}.lock`, `hyperup ${process.pid} 1`);
  t.equal(
    await withKubeconfigLock(path, { clock: makeManualClock(), waitMs: 0 }, async () => 'reused'),
    'reused',
    'a later process of that id',
  );
  await withKubeconfigLock(path, {}, async () => {
    t.match(await readFile(`${path}.lock`, 'utf8'), new RegExp(`^hyperup ${process.pid} \\d+$`));
    await t.rejects(withKubeconfigLock(path, { clock: makeManualClock(), waitMs: 0 }, nothing), { code: 'Locked' });
  });
});

t.test('the lock goes however the work ends', async (t) => {
  const path = join(t.testdir(), 'config');
  await t.rejects(
    withKubeconfigLock(path, {}, async () => {
      throw new Error('work failed');
    }),
    { message: 'work failed' },
  );
  t.notOk(await pathExists(`${path}.lock`));
});

t.test('merges at once all arrive', async (t) => {
  const path = join(t.testdir(), 'config');
  const names = Array.from({ length: 12 }, (_, i) => `cluster-${i}`);
  await Promise.all(
    names.map((name) =>
      mergeKubeconfig({
        path,
        entryName: name,
        config: buildKubeconfig({ name, server: `https://${name}`, caPem: '' }),
        waitMs: 60_000,
      }),
    ),
  );
  const text = await readFile(path, 'utf8');
  t.strictSame(
    names.filter((name) => !text.includes(`https://${name}\n`)),
    [],
  );
});
