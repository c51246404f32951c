import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ensureHostPath, ensureHostPathExists } from '../../../../src/kubelet/volumes/host-path.js';

t.test('checks types as the host sees them, and makes what may be made', async (test) => {
  // Short: a socket's path may have 107 bytes.
  const root = await mkdtemp(join(tmpdir(), 'hp-'));
  test.teardown(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'folder'));
  await writeFile(join(root, 'file'), '');
  await symlink('/folder', join(root, 'absolute'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
  test.teardown(() => server.close());
  const wrong = (path: string, what: string) => `hostPath type check failed: ${path} is not ${what}`;
  const cases: readonly (readonly [path: string, type: string, message: string | undefined])[] = [
    ['/nowhere', '', undefined],
    ['/folder', 'Directory', undefined],
    ['/absolute', 'Directory', undefined],
    ['/file', 'Directory', wrong('/file', 'a directory')],
    ['/nowhere', 'Directory', wrong('/nowhere', 'a directory')],
    ['/absolute/made/deep', 'DirectoryOrCreate', undefined],
    ['/file', 'DirectoryOrCreate', wrong('/file', 'a directory')],
    ['/file', 'File', undefined],
    ['/folder', 'File', wrong('/folder', 'a file')],
    ['/folder/new', 'FileOrCreate', undefined],
    ['/folder', 'FileOrCreate', wrong('/folder', 'a file')],
    ['/none/new', 'FileOrCreate', 'open /none/new: no such file or directory'],
    ['/socket', 'Socket', undefined],
    ['/file', 'Socket', wrong('/file', 'a socket file')],
    ['/file', 'CharDevice', wrong('/file', 'a character device')],
    ['/file', 'BlockDevice', wrong('/file', 'a block device')],
    ['/file', 'Tape', 'Tape is an invalid volume type'],
    ['/folder/../file', 'File', "invalid HostPath `/folder/../file`: must not contain '..'"],
  ];
  for (const [path, type, message] of cases) {
    const name = `${path} as ${type || 'anything'}`;
    if (message === undefined) await test.resolves(ensureHostPath(root, path, type), name);
    else await test.rejects(ensureHostPath(root, path, type), { message }, name);
  }
  test.equal((await stat(join(root, 'folder/made/deep'))).mode & 0o777, 0o755);
  test.equal((await stat(join(root, 'folder/new'))).mode & 0o777, 0o644);
  await ensureHostPathExists(root, '/absolute/other');
  test.ok((await stat(join(root, 'folder/other'))).isDirectory());
});
