import { chmod, chown, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { buildKubeconfig, type Kubeconfig, parseKubeconfig } from '../../../src/kube/kubeconfig.js';
import { checkKubeconfigMerge, mergeKubeconfig, removeFromKubeconfig } from '../../../src/kube/kubeconfig-file.js';

const entryName = 'hyperup';
const config = buildKubeconfig({
  name: entryName,
  server: 'https://192.0.2.10:6443',
  caPem: 'CA',
  clientCertPem: 'CERT',
  clientKeyPem: 'KEY',
});

const others = `# my clusters, do not lose this
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
- cluster:
    server: https://work.example
    insecure-skip-tls-verify: yes
    x-unknown: {kept: [1, 2]}
  name: work
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: login
      args: ["--since", "2020-01-01"]
contexts:
- context: {cluster: work, user: me}
  name: work
- context: {cluster: work, user: me, namespace: b}
  name: work-b
current-context: work-b
x-top: 2020-01-01
`;

async function read(path: string): Promise<Kubeconfig> {
  return parseKubeconfig(await readFile(path, 'utf8'), path);
}

t.test('a new file, and away again', async (t) => {
  const home = t.testdir();
  const path = join(home, '.kube', 'config');
  t.strictSame(await checkKubeconfigMerge({ path, entryName, config }), {
    exists: false,
    missingFolders: [join(home, '.kube')],
  });
  const merged = await mergeKubeconfig({ path, entryName, config });
  t.strictSame(merged, { created: true, changed: true, previousContext: undefined, backupPath: undefined });
  t.equal((await stat(path)).mode & 0o777, 0o600);
  const written = await read(path);
  t.equal(written['current-context'], entryName);
  t.match(written.clusters, [
    {
      name: entryName,
      cluster: { server: 'https://192.0.2.10:6443', extensions: [{ extension: { entry: entryName } }] },
    },
  ]);
  t.strictSame(await readdir(join(home, '.kube')), ['config'], 'no lock stays');
  const before = await stat(path);
  const again = await mergeKubeconfig({ path, entryName, config });
  t.match(again, { created: false, changed: false });
  t.equal((await stat(path)).ino, before.ino, 'not even written');
  t.match(await removeFromKubeconfig({ path, entryName, previousContext: undefined, created: true }), {
    removed: true,
    deletedFile: true,
  });
  t.strictSame(await readdir(join(home, '.kube')), []);
  t.match(await removeFromKubeconfig({ path, entryName, previousContext: undefined, created: true }), {
    removed: false,
  });
});

t.test("into a file of somebody's, and out again byte for byte", async (t) => {
  const home = t.testdir({ config: others });
  const path = join(home, 'config');
  await chmod(path, 0o640);
  const merged = await mergeKubeconfig({ path, entryName, config });
  t.strictSame(merged, {
    created: false,
    changed: true,
    previousContext: 'work-b',
    backupPath: `${path}.hyperup-backup`,
  });
  t.equal(await readFile(`${path}.hyperup-backup`, 'utf8'), others);
  const text = await readFile(path, 'utf8');
  t.equal((await stat(path)).mode & 0o777, 0o600, 'a key is in it now');
  const now = parseKubeconfig(text, path);
  const then = parseKubeconfig(others, path);
  t.strictSame(
    { ...now, clusters: [], users: [], contexts: [], 'current-context': '' },
    { ...then, clusters: [], users: [], contexts: [], 'current-context': '' },
  );
  t.strictSame(now.clusters?.slice(0, 1), then.clusters);
  t.strictSame(now.users?.slice(0, 1), then.users);
  t.strictSame(now.contexts?.slice(0, 2), then.contexts);
  t.match(text, /insecure-skip-tls-verify: true/, 'a boolean stays one');
  t.match(text, /- '2020-01-01'/, 'a text stays one');
  t.strictSame(Object.keys(now), Object.keys(then), 'in the same order');
  const removed = await removeFromKubeconfig({ path, entryName, previousContext: 'work-b' });
  t.strictSame(removed, { removed: true, deletedFile: false, restored: true, backupsKept: [] });
  t.equal(await readFile(path, 'utf8'), others);
  t.equal((await stat(path)).mode & 0o777, 0o640);
  t.strictSame(await readdir(home), ['config']);
});

t.test('what the user did in the meantime stays', async (t) => {
  const home = t.testdir({ config: others });
  const path = join(home, 'config');
  const { previousContext } = await mergeKubeconfig({ path, entryName, config });
  const between = await read(path);
  const mine = { name: 'mine', context: { cluster: 'work', user: 'me' } };
  const renamed = (between.contexts ?? []).map((entry) =>
    entry.name === entryName ? { ...entry, name: 'local' } : entry,
  );
  const changed = { ...between, contexts: [...renamed, mine], 'current-context': 'local' };
  await writeFile(path, JSON.stringify(changed));
  const removed = await removeFromKubeconfig({ path, entryName, previousContext });
  t.match(removed, { removed: true, deletedFile: false, restored: false });
  t.strictSame(removed.backupsKept, [`${path}.hyperup-backup`], 'for its comments');
  const after = await read(path);
  t.strictSame(
    after.contexts?.map(({ name }) => name),
    ['work', 'work-b', 'mine'],
    'ours was found under its new name',
  );
  t.strictSame(
    after.users?.map(({ name }) => name),
    ['me'],
  );
  t.equal(after['current-context'], 'work-b');
});

t.test('current-context afterwards', async (t) => {
  const plain = others.replace(/^#.*\n/, '');
  const cases: { name: string; text: string; current?: string; previous: string | undefined; want: string }[] = [
    { name: 'the previous one', text: plain, previous: 'work-b', want: 'work-b' },
    { name: 'the previous one is gone', text: plain, previous: 'gone', want: '' },
    { name: 'there was none', text: plain.replace('current-context: work-b\n', ''), previous: undefined, want: '' },
    { name: 'the user chose another since', text: plain, current: 'work', previous: 'work-b', want: 'work' },
  ];
  for (const { name, text, current, previous, want } of cases) {
    const path = join(t.testdir(), 'config');
    await writeFile(path, text);
    await mergeKubeconfig({ path, entryName, config });
    if (current !== undefined) {
      await writeFile(
        path,
        (await readFile(path, 'utf8')).replace(/current-context: .*/, `current-context: ${current}`),
      );
    }
    await removeFromKubeconfig({ path, entryName, previousContext: previous });
    t.equal((await read(path))['current-context'] ?? '', want, name);
  }
});

t.test('our context is current, our cluster was deleted by hand', async (t) => {
  const path = join(t.testdir({ config: others }), 'config');
  await mergeKubeconfig({ path, entryName, config });
  const between = await read(path);
  const clusters = (between.clusters ?? []).filter(({ name }) => name !== entryName);
  await writeFile(path, JSON.stringify({ ...between, clusters }));
  await removeFromKubeconfig({ path, entryName, previousContext: 'work-b' });
  t.equal((await read(path))['current-context'], 'work-b');
});

t.test('a second cluster, removed in either order', async (t) => {
  const second = buildKubeconfig({ name: 'lab', server: 'https://192.0.2.11:6443', caPem: 'CA2', token: 'abc' });
  const plain = others.replace(/^#.*\n/, '');
  for (const order of [
    [entryName, 'lab'],
    ['lab', entryName],
  ]) {
    const home = t.testdir({ config: plain });
    const path = join(home, 'config');
    await mergeKubeconfig({ path, entryName, config });
    const merged = await mergeKubeconfig({ path, entryName: 'lab', config: second });
    t.equal(merged.backupPath, `${path}.hyperup-backup-2`, 'no backup is overwritten');
    for (const name of order) {
      await removeFromKubeconfig({ path, entryName: name, previousContext: name === 'lab' ? entryName : 'work-b' });
    }
    const after = await read(path);
    t.strictSame({ ...after, 'current-context': '' }, { ...parseKubeconfig(plain, path), 'current-context': '' });
    t.strictSame(await readdir(home), ['config'], 'no backup is left');
  }
});

t.test('new certificates replace the old ones without another backup', async (t) => {
  const path = join(t.testdir(), 'config');
  await mergeKubeconfig({ path, entryName, config });
  const renewed = buildKubeconfig({
    name: entryName,
    server: 'https://192.0.2.99:6443',
    caPem: 'CA',
    clientCertPem: 'NEW',
    clientKeyPem: 'NEW',
  });
  const merged = await mergeKubeconfig({ path, entryName, config: renewed });
  t.match(merged, { created: false, changed: true, previousContext: undefined, backupPath: undefined });
  t.match((await read(path)).clusters, [{ cluster: { server: 'https://192.0.2.99:6443' } }]);
  t.equal((await read(path)).clusters?.length, 1);
});

t.test("somebody else's entry of our name", async (t) => {
  const text =
    'clusters:\n- name: hyperup\n  cluster: {server: https://other}\nusers:\n- {name: hyperup, user: {token: a}}\n';
  const path = join(t.testdir({ config: text }), 'config');
  const want = {
    code: 'AlreadyExists',
    message: 'add hyperup to kubeconfig: it has cluster hyperup, user hyperup of its own',
  };
  await t.rejects(checkKubeconfigMerge({ path, entryName, config }), want);
  await t.rejects(mergeKubeconfig({ path, entryName, config }), want);
  t.equal(await readFile(path, 'utf8'), text);
  t.match(await removeFromKubeconfig({ path, entryName, previousContext: undefined, created: true }), {
    removed: false,
  });
  t.equal(await readFile(path, 'utf8'), text, 'nor is it removed');
});

t.test('a file that is broken or can not be written stays as it is', async (t) => {
  const home = t.testdir({ config: 'clusters: [', folder: {} });
  const path = join(home, 'config');
  for (const attempt of [
    () => checkKubeconfigMerge({ path, entryName, config }),
    () => mergeKubeconfig({ path, entryName, config }),
    () => removeFromKubeconfig({ path, entryName, previousContext: undefined, created: true }),
  ]) {
    await t.rejects(attempt() as Promise<unknown>, {
      code: 'InvalidConfig',
      message: new RegExp(`read kubeconfig ${path}`),
    });
  }
  t.equal(await readFile(path, 'utf8'), 'clusters: [');
  t.strictSame((await readdir(home)).sort(), ['config', 'folder']);
  await t.rejects(mergeKubeconfig({ path: join(home, 'folder'), entryName, config }), { code: 'HostChangeFailed' });
  await t.rejects(mergeKubeconfig({ path: join(path, 'below-a-file'), entryName, config }), {
    code: 'HostChangeFailed',
  });
  // sysfs takes no new files, not even from root.
  await t.rejects(mergeKubeconfig({ path: '/sys/hyperup-test-config', entryName, config }), {
    code: 'PermissionDenied',
  });
});

t.test('a symbolic link stays one, the file behind it is written', async (t) => {
  const home = t.testdir({ real: { config: others } });
  const path = join(home, 'config');
  await symlink(join(home, 'real', 'config'), path);
  const { backupPath } = await mergeKubeconfig({ path, entryName, config });
  t.equal(backupPath, join(home, 'real', 'config.hyperup-backup'));
  t.equal((await read(join(home, 'real', 'config')))['current-context'], entryName);
  await removeFromKubeconfig({ path, entryName, previousContext: 'work-b' });
  t.equal(await readFile(join(home, 'real', 'config'), 'utf8'), others);
  t.strictSame(await readdir(join(home, 'real')), ['config']);
});

t.test('mode and owner', async (t) => {
  const home = t.testdir({ config: others, fresh: {} });
  const path = join(home, 'config');
  await chmod(path, 0o400);
  await mergeKubeconfig({ path, entryName, config });
  t.equal((await stat(path)).mode & 0o777, 0o400, 'a stricter mode stays');
  if (process.getuid?.() !== 0) {
    t.comment('skipped: only root can give files away');
    return;
  }
  await chown(path, 1234, 1235);
  await mergeKubeconfig({ path, entryName, config: { ...config, clusters: [] } });
  await mergeKubeconfig({ path, entryName, config });
  t.match(await stat(path), { uid: 1234, gid: 1235 }, 'the owner stays');
  const userHome = join(home, 'fresh');
  await chown(userHome, 1234, 1235);
  await mergeKubeconfig({ path: join(userHome, 'a', '.kube', 'config'), entryName, config });
  for (const made of ['a', 'a/.kube', 'a/.kube/config']) {
    t.match(await stat(join(userHome, made)), { uid: 1234, gid: 1235 }, `${made} belongs to the folder's owner`);
  }
});
