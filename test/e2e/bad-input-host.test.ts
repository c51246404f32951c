import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { jsonLines, runCli } from './support/cli.js';
import { cliJson, exists, offline, rememberHost, temporaryFolder, withoutCluster } from './support/cluster.js';
import { ensureClusterImages } from './support/cluster-images.js';
import { failsClearly } from './support/failure.js';
import { outputOf, runProgram } from './support/program.js';
import { rememberLook } from './support/quick-look.js';

// tap's own limit for a file is 30 s.
t.setTimeout(240_000);

t.before(async () => {
  await withoutCluster(t);
  await ensureClusterImages();
});

const install = (kubeconfig: string, ...args: readonly string[]) =>
  runCli(['install', ...offline, '--kubeconfig', kubeconfig, ...args], { timeoutMs: 120_000 });

t.test('a port in use is found before anything is changed, with whose it is', async (t) => {
  const dir = await temporaryFolder(t);
  const server = createServer().listen(6443, '0.0.0.0');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const hostIsAsBefore = await rememberHost();
  const result = await install(join(dir, 'config'));
  failsClearly(t, result, {
    exitCode: 1,
    says: [
      new RegExp(`Ports \\(ports\\): 6443 \\(kube-apiserver\\) is taken by node \\(pid ${process.pid}: `),
      /Stop that program, or choose another port \(--api-port/,
    ],
  });
  await hostIsAsBefore(t, 'the machine is as it was');
});

interface KubeconfigCase {
  readonly name: string;
  /** Gives the kubeconfig's path. */
  readonly make: (t: Test, dir: string) => Promise<string>;
  readonly says: readonly RegExp[];
}

const foreign = `apiVersion: v1
kind: Config
clusters:
- { name: hyperup, cluster: { server: 'https://mine.invalid' } }
`;

const kubeconfigs: readonly KubeconfigCase[] = [
  {
    name: 'below a file',
    make: async (_, dir) => {
      await writeFile(join(dir, 'file'), 'mine');
      return join(dir, 'file', 'config');
    },
    says: [/\S+file\/config: ENOTDIR/, /hint: .*choose another path/],
  },
  {
    name: 'a folder',
    make: async (_, dir) => {
      await mkdir(join(dir, 'config'));
      return join(dir, 'config');
    },
    says: [/\S+config: EISDIR/, /hint: .*the path of a file/],
  },
  {
    name: 'on a file system that is read-only',
    make: async (t, dir) => {
      const path = join(dir, 'readonly');
      await mkdir(path);
      await writeFile(join(path, 'config'), '');
      await outputOf('mount', ['--bind', path, path]);
      t.teardown(() => runProgram('umount', ['--lazy', path]));
      await outputOf('mount', ['-o', 'remount,bind,ro', path]);
      return join(path, 'config');
    },
    says: [/write \S+readonly\S*: EROFS/, /hint: The file system is mounted read-only/],
  },
  {
    name: 'in a folder that nobody may change',
    make: async (_, __) => '/proc/hyperup-test/config',
    says: [/write \/proc\/hyperup-test\/config: E\w+/, /hint: .*--kubeconfig/],
  },
  {
    name: 'malformed',
    make: async (_, dir) => {
      await writeFile(join(dir, 'config'), 'clusters: [\n');
      return join(dir, 'config');
    },
    says: [
      /read kubeconfig \S+config: .*\(2:1\)/,
      /hint: Mend the file, move it away, or name another with --kubeconfig/,
    ],
  },
  {
    name: 'no kubeconfig at all',
    make: async (_, dir) => {
      await writeFile(join(dir, 'config'), 'kind: Pod\nclusters: 5\n');
      return join(dir, 'config');
    },
    says: [/kind is "Pod", want Config; clusters is not a list/],
  },
  {
    name: "with an entry of that name that is somebody else's",
    make: async (_, dir) => {
      await writeFile(join(dir, 'config'), foreign);
      return join(dir, 'config');
    },
    says: [/it has cluster hyperup of its own/, /hint: Choose another cluster name/],
  },
  {
    name: 'a link that leads to itself',
    make: async (_, dir) => {
      await symlink(join(dir, 'config'), join(dir, 'config'));
      return join(dir, 'config');
    },
    says: [/\S+config: ELOOP/],
  },
];

t.test('a kubeconfig that cannot be written', async (t) => {
  const asBefore = await rememberLook();
  for (const { name, make, says } of kubeconfigs) {
    await t.test(name, async (t) => {
      const dir = await temporaryFolder(t);
      const path = await make(t, dir);
      const look = async () => [
        await readFile(path, 'utf8').catch(() => 'unreadable'),
        await stat(path).then(
          ({ mode, mtimeMs, ino }) => [mode, mtimeMs, ino],
          () => 'absent',
        ),
        (await outputOf('ls', ['-A', dir])).trim(),
      ];
      const before = await look();
      // Malformed files are faults of what was given, hence 2 for them.
      const result = await install(path);
      failsClearly(t, result, { exitCode: /malformed|no kubeconfig/.test(name) ? 2 : 1, says });
      t.notMatch(result.stderr, /Open the journal|Start the kubelet/, 'before anything is begun');
      t.same(await look(), before, 'the file is untouched');
    });
  }
  await asBefore(t);
});

t.test('several faults of the machine come in one go', async (t) => {
  const dir = await temporaryFolder(t);
  const asBefore = await rememberLook();
  const server = createServer().listen(10250, '127.0.0.1');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const { exitCode, run, line } = await cliJson([
    'install',
    ...offline,
    '--kubeconfig',
    join(dir, 'config'),
    '--node-address',
    '192.0.2.7',
  ]);
  t.equal(exitCode, 1);
  t.equal(line.error?.code, 'PreflightFailed');
  t.match(line.error?.message, /2 things keep .*: ports, node-address/);
  t.match(line.error?.output, /10250 \(kubelet\) is taken by[\s\S]*192\.0\.2\.7; this machine has /);
  t.ok(jsonLines(run.stdout).length > 1, 'progress came before it');
  t.notOk(await exists(join(dir, 'config')), 'no kubeconfig was made');
  await asBefore(t);
});
