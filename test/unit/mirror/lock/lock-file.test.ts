import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  mergeLocks,
  readLockFile,
  readLockFileIfPresent,
  writeLockFile,
} from '../../../../src/mirror/lock/lock-file.js';
import { digest, lockOf, makeEntry } from './lock-samples.js';

const etcd = makeEntry('e', { 'linux/amd64': 'a' });
const pause = makeEntry('b', { 'linux/amd64': 'c' });

t.test('a lock is merged', async (t) => {
  const before = lockOf({ 'x.example/etcd:1': etcd, 'x.example/old:1': pause });
  const later = { ...etcd, at: '2027-01-01T00:00:00Z', source: 'm.example/etcd:1' };
  const moved = { ...pause, digest: digest('9') };
  const { lock, changes } = mergeLocks(
    before,
    { 'x.example/etcd:1': later, 'x.example/new:1': pause },
    { prune: false },
  );
  t.strictSame(lock.images['x.example/etcd:1'], etcd, 'what stays the same keeps who was believed, and when');
  t.strictSame(Object.keys(lock.images).toSorted(), ['x.example/etcd:1', 'x.example/new:1', 'x.example/old:1']);
  t.strictSame(
    changes.map(({ reference, change }) => [reference, change]),
    [
      ['x.example/etcd:1', 'same'],
      ['x.example/new:1', 'added'],
    ],
  );
  const pruned = mergeLocks(before, { 'x.example/old:1': moved }, { prune: true });
  t.strictSame(pruned.lock.images, { 'x.example/old:1': moved });
  t.strictSame(
    pruned.changes.map(({ reference, change, before: was, after }) => [reference, change, was, after]),
    [
      ['x.example/etcd:1', 'removed', digest('e'), undefined],
      ['x.example/old:1', 'changed', digest('b'), digest('9')],
    ],
  );
  const arm = makeEntry('e', { 'linux/arm64': '7' });
  const grown = mergeLocks(before, { 'x.example/etcd:1': arm }, { prune: false });
  t.strictSame(Object.keys(grown.lock.images['x.example/etcd:1']?.platforms ?? {}), ['linux/amd64', 'linux/arm64']);
  t.equal(grown.changes[0]?.change, 'changed', 'a platform more');
  const other = mergeLocks(before, { 'x.example/etcd:1': { ...arm, digest: digest('8') } }, { prune: false });
  t.strictSame(
    Object.keys(other.lock.images['x.example/etcd:1']?.platforms ?? {}),
    ['linux/arm64'],
    'of another index',
  );
});

t.test('a lock in a file', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'hyperup.lock');
  t.equal(await readLockFileIfPresent(path), undefined);
  await t.rejects(readLockFile(path), { code: 'NotFound', hint: /images lock/ });
  const lock = lockOf({ 'x.example/etcd:1': etcd });
  await writeLockFile(path, lock);
  t.strictSame(await readLockFile(path), lock);
  t.strictSame(readdirSync(folder), ['hyperup.lock'], 'nothing beside it');
  writeFileSync(path, '{}');
  await t.rejects(readLockFile(path), { code: 'InvalidConfig', message: new RegExp(`read ${path}: `) });
  writeFileSync(path, Buffer.alloc(17 * 1024 * 1024, ' '));
  await t.rejects(readLockFile(path), { code: 'InvalidConfig', message: /bytes, want at most/ });
});
