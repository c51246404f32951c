import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { acquireLock, type LockHolder, lockHolder, processStartTime } from '../../../src/host/lock.js';
import { makeClock, makeHost, makeTempDir } from './support.js';

const clock = makeClock();
const stat = (pid: number, start: string) => `${pid} (a ) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${start} 0 0`;

/** A machine on which the processes 100 (started at 5000) and 200 run. */
async function setUp(t: Test) {
  const host = await makeHost(t, {
    '/proc/sys/kernel/random/boot_id': 'boot-1\n',
    '/proc/100/stat': stat(100, '5000'),
    '/proc/200/stat': stat(200, '6000'),
  });
  const path = join(await makeTempDir(t), 'lock');
  const acquire = (pid: number) => acquireLock({ path, host, clock, pid, command: `install by ${pid}` });
  return { host, path, acquire };
}

t.test('the start time is found behind a name with brackets', async (t) => {
  const { host } = await setUp(t);
  t.equal(await processStartTime(host, 100), '5000');
  t.equal(await processStartTime(host, 300), undefined);
});

t.test('taken, refused, given back, taken', async (t) => {
  const { host, path, acquire } = await setUp(t);
  const lock = await acquire(100);
  t.match(await lockHolder(path, host), { pid: 100, command: 'install by 100' });
  await t.rejects(acquire(200), {
    code: 'Locked',
    message: /process 100 \(install by 100\)/,
    details: { holder: { pid: 100 } },
  });
  await lock.release();
  t.same(await readdir(dirname(path)), []);
  await (await acquire(200)).release();
});

t.test('a lock whose holder is gone is taken over', async (t) => {
  const holder: LockHolder = { pid: 100, startTime: '5000', bootId: 'boot-1', since: 'x', command: 'y' };
  const cases: { readonly name: string; readonly content: string }[] = [
    { name: 'no such process', content: JSON.stringify({ ...holder, pid: 300 }) },
    { name: 'the pid is another process now', content: JSON.stringify({ ...holder, startTime: '1' }) },
    { name: 'from before a reboot', content: JSON.stringify({ ...holder, bootId: 'boot-0' }) },
    { name: 'empty, by power loss', content: '' },
    { name: 'nonsense', content: 'nonsense' },
    { name: 'JSON of another kind', content: 'null' },
  ];
  for (const { name, content } of cases) {
    const { host, path, acquire } = await setUp(t);
    await writeFile(path, content);
    t.equal(await lockHolder(path, host), undefined, `${name}: nobody holds it`);
    const lock = await acquire(200);
    t.match(JSON.parse(await readFile(path, 'utf8')), { pid: 200 }, name);
    t.same(await readdir(dirname(path)), ['lock'], `${name}: nothing else is left`);
    await lock.release();
  }
});

t.test('of many that find the same stale lock one gets it', async (t) => {
  const { host, path } = await setUp(t);
  await writeFile(path, 'stale');
  const pids = [100, 200];
  const outcomes = await Promise.allSettled(
    pids.map((pid) => acquireLock({ path, host, clock, pid, command: 'race' })),
  );
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
});

t.test('release leaves a lock of somebody else alone', async (t) => {
  const { path, acquire } = await setUp(t);
  const lock = await acquire(100);
  await writeFile(path, 'another');
  await lock.release();
  t.equal(await readFile(path, 'utf8'), 'another');
});
