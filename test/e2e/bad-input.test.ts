import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from './support/cli.js';
import { exists, temporaryFolder, withoutCluster } from './support/cluster.js';
import { ensureClusterImages } from './support/cluster-images.js';
import { failsClearly, type WantedFailure } from './support/failure.js';
import { rememberLook } from './support/quick-look.js';

// tap's own limit for a file is 30 s.
t.setTimeout(180_000);

interface Case extends WantedFailure {
  readonly name: string;
  /** `DIR` is the test's own folder. */
  readonly args: readonly string[];
  /** Files in that folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

const wrongOptions: readonly Case[] = [
  {
    name: 'an unknown Kubernetes version',
    args: ['install', '--kubernetes-version', 'v1.99.0'],
    exitCode: 2,
    says: [/--kubernetes-version: got v1\.99\.0, want one of .*v1\.20\.2/, /hint: .*--help/],
  },
  {
    name: 'a version that is none',
    args: ['install', '--kubernetes-version', 'latest'],
    exitCode: 2,
    says: [/--kubernetes-version: got "?latest"?, want .*v1\.20\.2/],
  },
  {
    name: 'a malformed config file',
    args: ['install', '--config', 'DIR/config.yaml'],
    files: { 'config.yaml': 'cluster:\n  apiPort: [\n' },
    exitCode: 2,
    says: [/parse \S+config\.yaml: line 3, column 1: /],
  },
  {
    name: 'a config file that is a list',
    args: ['install', '--config', 'DIR/config.yaml'],
    files: { 'config.yaml': '- cluster\n' },
    exitCode: 2,
    says: [/config\.yaml: got a list, want a mapping/],
  },
  {
    name: 'a config file in binary',
    args: ['install', '--config', 'DIR/config.yaml'],
    files: { 'config.yaml': '\0\u0001\u0002' },
    exitCode: 2,
    says: [/parse \S+config\.yaml: line 1, column 1: null byte/],
  },
  {
    name: 'a misspelt key',
    args: ['install', '--config', 'DIR/config.yaml'],
    files: { 'config.yaml': 'cluster:\n  apiPrt: 7443\n' },
    exitCode: 2,
    says: [/cluster\.apiPrt in \S+config\.yaml: unknown key; did you mean cluster\.apiPort\?/],
  },
  {
    name: 'every fault of a config file at once',
    args: ['install', '--config', 'DIR/config.yaml'],
    files: { 'config.yaml': 'cluster: { apiPort: 70000, name: "A B", serviceCidr: 10.96.0.0/33 }\ntimeout: soon\n' },
    exitCode: 2,
    says: [/4 faults/, /cluster\.apiPort in .*70000/, /cluster\.name in /, /serviceCidr in /, /timeout in .*"soon"/],
  },
  {
    name: 'a config file that is not there',
    args: ['install', '--config', 'DIR/absent.yaml'],
    exitCode: 2,
    says: [/read \S+absent\.yaml: ENOENT/],
  },
  {
    name: 'a config file that is a folder',
    args: ['install', '--config', 'DIR'],
    exitCode: 2,
    says: [/read \S+: EISDIR/],
  },
  {
    name: 'a config file that nobody may read',
    args: ['install', '--config', '/proc/self/mem'],
    exitCode: 2,
    says: [/read \/proc\/self\/mem: E\w+/],
  },
  {
    name: 'a malformed variable',
    args: ['install'],
    env: { HYPERUP_API_PORT: 'many' },
    exitCode: 2,
    says: [/HYPERUP_API_PORT: got "many", want /],
  },
  {
    name: 'flags that contradict each other',
    args: ['install', '--no-build', '--debian-mirror', 'http://debian.invalid/debian'],
    exitCode: 2,
    says: [/--no-build and --debian-mirror: choose one: /],
  },
  {
    name: 'a dry run that is to keep what it made',
    args: ['install', '--dry-run', '--keep-on-failure'],
    exitCode: 2,
    says: [/--dry-run and --keep-on-failure: choose one: /],
  },
  {
    name: 'ranges that overlap',
    args: ['install', '--service-cidr', '10.96.0.0/12', '--pod-cidr', '10.100.0.0/16'],
    exitCode: 2,
    says: [/--pod-cidr: got 10\.100\.0\.0\/16, which overlaps --service-cidr 10\.96\.0\.0\/12/],
  },
  {
    name: 'one port for two components',
    args: ['install', '--api-port', '2379'],
    exitCode: 2,
    says: [/got 2379, which --api-port has too/],
  },
  {
    name: 'a mirror that is none',
    args: ['install', '--mirror', 'ht tp://x'],
    exitCode: 2,
    says: [/--mirror: .*ht tp/],
  },
  {
    name: 'a check that does not exist',
    args: ['install', '--skip-preflight', 'swop'],
    exitCode: 2,
    says: [/--skip-preflight: got "swop", want .*did you mean swap\?/],
  },
  {
    name: 'an engine address that is none',
    args: ['install', '--engine-host', 'ftp://x'],
    exitCode: 2,
    says: [/--engine-host: got "ftp:\/\/x", want unix:\/\/\/path/],
  },
  {
    name: 'an unknown verb',
    args: ['instal'],
    exitCode: 2,
    says: [/unknown command 'instal'/, /install|--help/],
  },
  { name: 'an unknown flag', args: ['install', '--fast'], exitCode: 2, says: [/unknown option '--fast'/, /--help/] },
];

const otherVerbs: readonly Case[] = [
  {
    name: 'uninstall that keeps images and removes them',
    args: ['uninstall', '--yes', '--keep-images', '--purge-images'],
    exitCode: 2,
    says: [/--keep-images and --purge-images: choose one/],
  },
  {
    name: 'uninstall where nobody can be asked',
    args: ['uninstall'],
    exitCode: 2,
    says: [/want --yes/, /hint: Pass --yes/],
  },
  {
    name: 'an image that the release does not have',
    args: ['images', 'pull', 'coredns'],
    exitCode: 2,
    says: [/got coredns, want some of hyperkube, etcd, pause/],
  },
  {
    name: 'building an image that the release does not have',
    args: ['images', 'build', 'coredns'],
    exitCode: 2,
    says: [/got coredns, want some of hyperkube, etcd, pause/],
  },
  {
    name: 'images of an unknown version',
    args: ['images', 'list', '--kubernetes-version', 'v9'],
    exitCode: 2,
    says: [/--kubernetes-version: got "?v9"?, want /],
  },
  {
    name: 'rendering into a folder that has something in it',
    args: ['render', 'DIR'],
    files: { mine: 'mine' },
    exitCode: 1,
    says: [/render to \S+: got a folder with 1 files in it, want an empty one/, /hint: Name another folder/],
  },
  {
    name: 'rendering into a file',
    args: ['render', 'DIR/mine'],
    files: { mine: 'mine' },
    exitCode: 1,
    says: [/\S+mine: ENOTDIR/, /hint: .*choose another path/],
  },
  {
    name: 'the log of an unknown component',
    args: ['logs', 'kube-dns'],
    exitCode: 2,
    says: [/kube-dns.*etcd, kube-apiserver/],
  },
  {
    name: 'the log of a kubelet that is not there',
    args: ['logs', 'kubelet'],
    exitCode: 1,
    says: [/nothing is installed/, /hint: hyperup install/],
  },
  {
    name: 'a number of lines that is none',
    args: ['logs', 'etcd', '--tail', 'few'],
    exitCode: 2,
    says: [/--tail: got "few"/],
  },
  {
    name: 'status without a cluster',
    args: ['status'],
    exitCode: 1,
    says: [/nothing is installed/, /hint: hyperup install/],
  },
  { name: 'verify without a cluster', args: ['verify'], exitCode: 1, says: [/nothing is installed/] },
  { name: 'the kubeconfig of no cluster', args: ['kubeconfig', 'print'], exitCode: 1, says: [/nothing is installed/] },
  {
    name: 'merging the kubeconfig of no cluster',
    args: ['kubeconfig', 'merge', '--kubeconfig', 'DIR/config'],
    exitCode: 1,
    says: [/nothing is installed/],
  },
  {
    name: 'an engine that is not there',
    args: ['install', '--engine-host', 'unix://DIR/none.sock'],
    exitCode: 1,
    says: [/no engine answers: unix:\/\/\S+none\.sock/, /there is no such socket/, /hint: .*correct that/],
  },
  {
    name: 'a state folder below a file',
    args: ['install', '--state-dir', 'DIR/mine/state', '--kubeconfig', 'DIR/config'],
    files: { mine: 'mine' },
    exitCode: 1,
    says: [/\S+mine\/state\S*: ENOTDIR/, /hint: .*choose another path/],
  },
];

/** A state folder that somebody or something has damaged: nothing may be guessed, and nothing lost. */
const entry =
  '{"id":1,"time":"2026-01-01T00:00:00.000Z","change":{"kind":"directory","path":"/nonexistent/hyperup-test","owned":true}}';
const journal = `{"journal":1,"madeDirs":[]}\n${entry}\n`;
const damaged: readonly Case[] = [
  {
    name: 'uninstall with a damaged journal',
    args: ['uninstall', '--yes', '--state-dir', 'DIR/state'],
    files: { 'state/journal.jsonl': `{"journal":1,"madeDirs":[]}\nnot a line\n${entry}\n` },
    exitCode: 1,
    says: [/journal\.jsonl: line 2 is no journal entry/, /hint: .*Repair or remove that line/],
  },
  {
    name: 'install over a damaged journal',
    args: ['install', '--state-dir', 'DIR/state', '--kubeconfig', 'DIR/config'],
    files: { 'state/journal.jsonl': `{"journal":1,"madeDirs":[]}\nnot a line\n${entry}\n` },
    exitCode: 1,
    says: [/journal\.jsonl: line 2 is no journal entry/, /hint: .*Repair or remove that line/],
  },
  {
    name: 'uninstall with the journal of a newer version',
    args: ['uninstall', '--yes', '--state-dir', 'DIR/state'],
    files: { 'state/journal.jsonl': '{"journal":99,"madeDirs":[]}\n' },
    exitCode: 1,
    says: [/journal format 99/, /hint: Run the newer hyperup/],
  },
  {
    name: 'status with a damaged record',
    args: ['status', '--state-dir', 'DIR/state'],
    files: { 'state/journal.jsonl': journal, 'state/cluster.json': '{"format":1,' },
    exitCode: 1,
    says: [/read \S+cluster\.json: /, /hint: hyperup uninstall/],
  },
  {
    name: 'install over a damaged record',
    args: ['install', '--state-dir', 'DIR/state', '--kubeconfig', 'DIR/config'],
    files: { 'state/journal.jsonl': journal, 'state/cluster.json': '[]' },
    exitCode: 1,
    says: [/read \S+cluster\.json: /, /hint: hyperup uninstall/],
  },
];

async function contentOf(dir: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    found[path] = entry.isFile() ? await readFile(path, 'utf8') : 'folder';
  }
  return found;
}

t.before(async () => {
  await withoutCluster(t);
  await ensureClusterImages();
});

for (const [title, cases] of Object.entries({ wrongOptions, otherVerbs, damaged })) {
  t.test(title, async (t) => {
    const asBefore = await rememberLook();
    for (const { name, args, files = {}, env, ...wanted } of cases) {
      await t.test(name, async (t) => {
        const dir = await temporaryFolder(t);
        for (const [path, text] of Object.entries(files)) {
          await mkdir(join(dir, path, '..'), { recursive: true });
          await writeFile(join(dir, path), text);
        }
        const before = await contentOf(dir);
        const result = await runCli(
          args.map((arg) => arg.replace('DIR', dir)),
          { env, timeoutMs: 60_000 },
        );
        failsClearly(t, result, wanted);
        t.equal(result.stdout, '', 'stdout is for results');
        t.same(await contentOf(dir), before, 'its files are as they were');
      });
    }
    await asBefore(t);
  });
}

t.test('uninstall needs no record, the journal is enough', async (t) => {
  const dir = await temporaryFolder(t);
  const made = join(dir, 'made');
  await mkdir(join(dir, 'state'));
  await mkdir(made);
  await writeFile(join(made, 'file'), 'x');
  await writeFile(join(dir, 'state/journal.jsonl'), journal.replace('/nonexistent/hyperup-test', made));
  await writeFile(join(dir, 'state/cluster.json'), 'damaged');
  const result = await runCli(['uninstall', '--yes', '--state-dir', join(dir, 'state')], { timeoutMs: 60_000 });
  t.equal(result.exitCode, 0, 'done', { said: result.stderr });
  t.notOk(await exists(made), 'what the journal says was taken back');
});
