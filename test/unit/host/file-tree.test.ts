import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { listFileTree } from '../../../src/host/file-tree.js';
import { makeHost } from './support.js';

process.umask(0o022);

t.test('one line for everything, told apart by content, mode, kind and owner', async (t) => {
  const host = await makeHost(t, { '/etc/a': 'text', '/etc/sub/b': 'x'.repeat(100), '/etc/skipped/c': '' });
  await chmod(join(host.root, '/etc/a'), 0o600);
  await symlink('/nowhere', join(host.root, '/etc/link'));
  const own = `${process.getuid?.()}:${process.getgid?.()}`;
  const tree = () => listFileTree('/etc', host, { skip: ['/etc/skipped'], hashUpToBytes: 50 });
  t.match(await tree(), [
    `/etc folder 0755 ${own}`,
    `/etc/a file 0600 ${own} sha256:982d9e3eb996f559`,
    `/etc/link link 0777 ${own} /nowhere`,
    `/etc/skipped folder 0755 ${own}`,
    `/etc/sub folder 0755 ${own}`,
    `/etc/sub/b file 0644 ${own} 100 bytes`,
  ]);
  await writeFile(join(host.root, '/etc/a'), 'else');
  t.notMatch((await tree()).join('\n'), /982d9e3eb996f559/);
});

t.test('order is by name, whatever the order on the disk, and the same each time', async (t) => {
  const host = await makeHost(t, {});
  await mkdir(join(host.root, 'd'));
  const names = Array.from({ length: 200 }, (_, i) => `f${(i * 7919) % 200}`);
  for (const name of names) await writeFile(join(host.root, 'd', name), name);
  const lines = (await listFileTree('/d', host)).slice(1).map((line) => line.split(' ')[0]);
  t.same(
    lines,
    [...names].sort().map((name) => `/d/${name}`),
  );
});

t.test('a folder that isn’t there, and a root that is a file', async (t) => {
  const host = await makeHost(t, { '/etc/a': '' });
  t.same(await listFileTree('/nowhere', host), []);
  t.equal((await listFileTree('/etc/a', host)).length, 1);
});
