import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readDiskSpace, readMemory } from '../../../src/host/memory-disk.js';
import { makeHost } from './support.js';

t.test('memory', async (t) => {
  const host = await makeHost(t, {
    '/proc/meminfo':
      'MemTotal:       2000000 kB\nMemFree:         1 kB\nMemAvailable:    1000 kB\nSwapTotal:       512 kB\n',
  });
  t.same(await readMemory(host), { totalBytes: 2_048_000_000, availableBytes: 1_024_000, swapTotalBytes: 524_288 });
  t.same(await readMemory(await makeHost(t, {})), { totalBytes: 0, availableBytes: 0, swapTotalBytes: 0 });
});

t.test('room on the file system that a path would be on', async (t) => {
  const path = join(tmpdir(), 'hyperup-not-there', 'a', 'b');
  const found = await readDiskSpace(path, { root: '' });
  const wanted = await statfs(tmpdir());
  t.match(found, { path, existing: tmpdir(), totalBytes: wanted.blocks * wanted.bsize, totalInodes: wanted.files });
  t.ok(found.freeBytes > 0 && found.freeBytes <= found.totalBytes);
});
