import t from 'tap';
import type { StopSignal } from '../../../src/cli/cli-io.js';
import type { LogOptions } from '../../../src/cli/verbs.js';
import type { ClusterQuery, InstallOptions, UninstallOptions } from '../../../src/config/types.js';
import type { EngineStatus } from '../../../src/engine/engine-status.js';
import type { ImageListing } from '../../../src/mirror/list-images.js';
import type { ObtainedImage } from '../../../src/mirror/outcome.js';
import type { Finding } from '../../../src/preflight/types.js';
import type { UninstallResult } from '../../../src/provision/types.js';
import { engineInfo, fakeCli, fakeOperation, healthy, jsonLines, sick } from './fake-cli.js';

t.test('status', async (t) => {
  const { exitCode, out } = await fakeCli(['status'], { verbs: { status: async () => healthy } });
  t.equal(exitCode, 0);
  t.equal(
    out,
    `Cluster hyperup is healthy: Kubernetes v1.20.2, https://192.0.2.7:6443, hyperkube kubelet, certificates until 2036-11-20

COMPONENT  STATE  VERSION  PID   PORTS      RESTARTS  AGE          MESSAGE
etcd       up     3.4.23   4711  2379,2380  0         12 min 34 s  healthy
node       up     -        -     -          -         -            Ready
`,
  );
  const down = await fakeCli(['status'], { verbs: { status: async () => sick } });
  t.equal(down.exitCode, 1);
  t.match(down.out, 'Cluster hyperup is not healthy');
  t.match(down.out, 'kube-apiserver  down   GET /readyz: got 500, want 200\n');
  t.match(down.out, 'Last lines of kube-apiserver:\n  | E1122 etcd unreachable\n  | F1122 exiting\n');
  const none = await fakeCli(['status'], {
    verbs: { status: async () => ({ ...healthy, installed: false, components: [] }) },
  });
  t.equal(none.exitCode, 1);
  t.match(none.out, 'No cluster is installed.');
});

t.test('status: colours only on a terminal, and not against the will', async (t) => {
  const verbs = { status: async () => healthy };
  const green = '\u001B[32m';
  t.ok((await fakeCli(['status'], { verbs, tty: true })).out.includes(green));
  t.notOk((await fakeCli(['status'], { verbs })).out.includes(green));
  t.notOk((await fakeCli(['status', '--no-color'], { verbs, tty: true })).out.includes(green));
  t.notOk((await fakeCli(['status'], { verbs, tty: true, env: { NO_COLOR: '1' } })).out.includes(green));
});

t.test('status: one component down is enough for 1', async (t) => {
  const status = async () => ({
    ...healthy,
    components: [{ component: 'node' as const, state: 'unknown' as const, message: '?' }],
  });
  t.equal((await fakeCli(['status', '--json'], { verbs: { status } })).exitCode, 1);
});

t.test('verify: events, then the table', async (t) => {
  let query: ClusterQuery | undefined;
  const verify = (given: ClusterQuery) => {
    query = given;
    return fakeOperation(healthy, [{ type: 'wait', step: 'smoke', reason: 'pod not Ready' }]);
  };
  const { exitCode, out, err } = await fakeCli(['verify', '--state-dir', '/data/h', '--timeout', '5s'], {
    verbs: { verify },
  });
  t.equal(exitCode, 0);
  t.strictSame(query, { stateDir: '/data/h', engineHost: undefined, timeoutMs: 5000 });
  t.equal(err, '       waiting: pod not Ready\n');
  t.match(out, 'Cluster hyperup is healthy');
});

const removed: UninstallResult = { undone: 42, leftovers: [], kept: [], elapsedMs: 3100 };

t.test('uninstall', async (t) => {
  const seen: UninstallOptions[] = [];
  const uninstall = (options: UninstallOptions) => {
    seen.push(options);
    return fakeOperation(removed);
  };
  const verbs = { uninstall };
  const cases = [
    {
      name: '--yes',
      argv: ['--yes'],
      code: 0,
      out: 'Uninstalled in 3.1 s: 42 changes taken back; checked: nothing is left.\n',
    },
    { name: 'yes on a terminal', argv: [], tty: true, answer: ' Yes ', code: 0 },
    { name: 'no on a terminal', argv: [], tty: true, answer: 'n', code: 1, err: 'Nothing was changed.' },
    { name: 'return on a terminal', argv: [], tty: true, answer: '', code: 1, err: 'Continue? [y/N]' },
    { name: 'nobody to ask', argv: [], code: 2, err: 'want --yes where nobody can be asked' },
    { name: '--json asks nobody', argv: ['--json'], tty: true, code: 2 },
    {
      name: 'both',
      argv: ['-y', '--keep-images', '--purge-images'],
      code: 2,
      err: '--keep-images and --purge-images: choose one',
    },
  ];
  for (const { name, argv, code, out, err, ...options } of cases) {
    const run = await fakeCli(['uninstall', ...argv], { verbs, ...options });
    t.equal(run.exitCode, code, name);
    if (out !== undefined) t.equal(run.out, out, name);
    if (err !== undefined) t.match(run.err, err, name);
  }
  t.equal(seen.length, 2, 'the verb ran only where it was wanted');
  await fakeCli(['uninstall', '-y', '--keep-data', '--keep-images', '--engine-host', '/e.sock'], { verbs });
  await fakeCli(['uninstall', '-y', '--purge-images'], { verbs });
  t.match(seen[0], { stateDir: '/var/lib/hyperup', images: 'keep', keepData: false, yes: true });
  t.match(seen[2], { images: 'keep', keepData: true, engineHost: '/e.sock' });
  t.match(seen[3], { images: 'purge' });
});

t.test('uninstall: leftovers are told and mean 1', async (t) => {
  const result = { ...removed, leftovers: ['mount /var/lib/kubelet'], kept: ['/var/lib/hyperup/etcd'] };
  const { exitCode, out } = await fakeCli(['uninstall', '-y'], { verbs: { uninstall: () => fakeOperation(result) } });
  t.equal(exitCode, 1);
  t.match(out, '1 left behind.\nKept, as asked:\n  /var/lib/hyperup/etcd\nStill there:\n  mount /var/lib/kubelet\n');
  const nothing = await fakeCli(['uninstall', '-y'], {
    verbs: { uninstall: () => fakeOperation({ ...removed, undone: 0 }) },
  });
  t.equal(nothing.out, 'Nothing was installed; checked: nothing is left.\n');
});

t.test('uninstall: Ctrl-C at the question changes nothing', async (t) => {
  let stop: (name: StopSignal) => void = () => t.fail('no one listens');
  const { exitCode, err } = await fakeCli(['uninstall', '--no-color'], {
    tty: true,
    onStart: (given) => {
      stop = given;
    },
    onAsk: () => stop('SIGINT'),
  });
  t.equal(exitCode, 130);
  t.match(err, 'nothing was changed');
  t.match(err, 'error: interrupted by SIGINT\n');
  t.notMatch(err, 'fault of hyperup');
});

const listing: ImageListing = {
  name: 'etcd',
  reference: 'k8s.gcr.io/etcd:3.4.13-0',
  present: true,
  id: 'sha256:0369cf4303ffaa',
  sizeBytes: 253_000_000,
  architecture: 'amd64',
  digests: [],
  origin: 'built',
  buildable: true,
};
const obtained: ObtainedImage = {
  name: 'etcd',
  reference: 'k8s.gcr.io/etcd:3.4.13-0',
  id: 'sha256:0369cf4303ffaa',
  sizeBytes: 253_000_000,
  source: { kind: 'build', recipe: 'etcd' },
  changed: true,
  reports: [],
};

t.test('images list', async (t) => {
  const pause = { ...listing, name: 'pause', reference: 'k8s.gcr.io/pause:3.2', present: false };
  const absent = { ...pause, id: undefined, sizeBytes: undefined, origin: undefined, buildable: false };
  const { out } = await fakeCli(['images', 'list'], { verbs: { listImages: async () => [listing, absent] } });
  t.equal(
    out,
    `NAME   REFERENCE                 IN ENGINE     SIZE    ORIGIN  BUILDABLE
etcd   k8s.gcr.io/etcd:3.4.13-0  0369cf4303ff  253 MB  built   yes
pause  k8s.gcr.io/pause:3.2      no            -       -       no
`,
  );
});

t.test('images pull, build, tag', async (t) => {
  let seen: readonly unknown[] = [];
  const pullImages = (options: InstallOptions, names: readonly string[]) => {
    seen = [options.images.mirrors, options.images.build, names];
    return fakeOperation([obtained]);
  };
  const argv = ['images', 'pull', 'etcd', 'pause', '--mirror', 'a.example', '--no-build', '--json'];
  const pull = await fakeCli(argv, { verbs: { pullImages } });
  t.strictSame(seen, [['a.example'], false, ['etcd', 'pause']]);
  t.match(jsonLines(pull.out), [{ type: 'result', verb: 'images pull', ok: true, result: [obtained] }]);
  const buildImages = (_: InstallOptions, names: readonly string[]) => {
    seen = names;
    return fakeOperation([obtained, { ...obtained, changed: false }]);
  };
  const build = await fakeCli(['images', 'build'], { verbs: { buildImages } });
  t.strictSame(seen, [], 'no name stands for all');
  t.match(build.out, '0369cf4303ff  253 MB  build etcd\n');
  t.match(build.out, '0369cf4303ff  253 MB  there already\n');
  const tagged = { name: 'etcd', reference: 'k8s.gcr.io/etcd:3.4.13-0', outcome: 'missing', from: undefined } as const;
  const tag = await fakeCli(['images', 'tag'], { verbs: { tagImages: async () => [tagged] } });
  t.equal(tag.exitCode, 1);
  t.match(tag.out, 'etcd  k8s.gcr.io/etcd:3.4.13-0  missing\n');
});

t.test('engine status', async (t) => {
  const status: EngineStatus = {
    answers: true,
    info: engineInfo,
    problem: undefined,
    dockerd: '/usr/sbin/dockerd',
    pid: 17,
    serviceManager: 'none',
    config: {
      path: '/etc/docker/daemon.json',
      present: true,
      lists: { 'insecure-registries': ['127.0.0.1:5000', 'r.example'] },
      fault: undefined,
    },
  };
  const up = await fakeCli(['engine', 'status'], { verbs: { engineStatus: async () => status } });
  t.equal(up.exitCode, 0);
  t.equal(
    up.out,
    `endpoint             unix:///x.sock
version              20.10.24
API version          1.41 (the engine takes 1.12 to 1.41)
system               Debian, x86_64
cgroups              v1, cgroupfs driver
storage              overlay2 in /var/lib/docker
dockerd              /usr/sbin/dockerd
daemon.json          /etc/docker/daemon.json
insecure-registries  127.0.0.1:5000 r.example
`,
  );
  const problem = { code: 'EngineUnreachable', message: 'connect ENOENT', hint: undefined };
  const gone = { ...status, answers: false, info: undefined, problem, dockerd: undefined };
  const down = await fakeCli(['engine', 'status'], { verbs: { engineStatus: async () => gone } });
  t.equal(down.exitCode, 1);
  t.match(down.out, 'No engine answers: connect ENOENT\nRun "hyperup engine install"');
  t.match(down.out, 'dockerd              not installed\n');
});

t.test('engine install and configure', async (t) => {
  const engineInstall = () => fakeOperation({ changed: false, steps: [], info: engineInfo });
  const install = await fakeCli(['engine', 'install'], { verbs: { engineInstall } });
  t.match(install, { exitCode: 0, out: /^An engine answers already; nothing changed\.\n\nendpoint / });
  let seen: unknown;
  const engineConfigure = (given: unknown) => {
    seen = given;
    const backup = '/etc/docker/daemon.json.1';
    return fakeOperation({
      changed: true,
      path: '/etc/docker/daemon.json',
      backup,
      added: {},
      text: '',
      reloaded: true,
    });
  };
  const argv = ['engine', 'configure', '--registry-mirror', 'https://m.example'];
  argv.push('--insecure-registry', '127.0.0.1:5000', '--insecure-registry', 'r.example');
  const configure = await fakeCli(argv, { verbs: { engineConfigure } });
  t.match(seen, { registryMirrors: ['https://m.example'], insecureRegistries: ['127.0.0.1:5000', 'r.example'] });
  t.equal(
    configure.out,
    'Changed /etc/docker/daemon.json; the engine has taken it over. The former file is /etc/docker/daemon.json.1.\n',
  );
  t.match(await fakeCli(['engine', 'configure']), { exitCode: 2, err: /got nothing to add/ });
});

t.test('kubeconfig', async (t) => {
  const print = await fakeCli(['kubeconfig', 'print'], { verbs: { kubeconfigPrint: async () => 'apiVersion: v1\n' } });
  t.equal(print.out, 'apiVersion: v1\n');
  const paths: string[] = [];
  const kubeconfigMerge = async (_: ClusterQuery, path: string) => {
    paths.push(path);
    return { context: 'hyperup', changed: true };
  };
  const kubeconfigRemove = async (_: ClusterQuery, path: string) => {
    paths.push(path);
    return { removed: false };
  };
  const merge = await fakeCli(['kubeconfig', 'merge', '--kubeconfig', 'k'], { verbs: { kubeconfigMerge } });
  t.equal(merge.out, '/work-dir/k: context hyperup is there and current.\n');
  const remove = await fakeCli(['kubeconfig', 'remove'], { verbs: { kubeconfigRemove }, env: { KUBECONFIG: '/a:/b' } });
  t.equal(remove.out, '/a: holds no entries of the cluster; nothing changed.\n');
  t.strictSame(paths, ['/work-dir/k', '/a']);
});

t.test('logs', async (t) => {
  let seen: LogOptions | undefined;
  const componentLogs = async (_: ClusterQuery, component: string, options: LogOptions) => {
    seen = options;
    options.onLine(`${component} says hello`);
  };
  const plain = await fakeCli(['logs', 'etcd'], { verbs: { componentLogs } });
  t.equal(plain.out, 'etcd says hello\n');
  t.match(seen, { follow: false, tail: 100 });
  const json = await fakeCli(['logs', 'kubelet', '-f', '--tail', '5', '--json'], { verbs: { componentLogs } });
  t.strictSame(jsonLines(json.out), [{ type: 'log', component: 'kubelet', line: 'kubelet says hello' }]);
  t.match(seen, { follow: true, tail: 5 });
  t.match(await fakeCli(['logs', 'etcd', '--tail', 'all']), {
    exitCode: 2,
    err: /--tail: got "all", want a number of lines/,
  });
  t.match(await fakeCli(['logs', 'nameserver']), { exitCode: 2, err: /nameserver/ });
});

t.test('preflight', async (t) => {
  const finding = (id: string, severity: Finding['severity'], found: string, wanted: string, fix: string): Finding => ({
    ...{ id, severity, title: id, found, wanted, fix },
    fixes: [],
  });
  const findings = [
    finding('engine', 'ok', 'Docker 20.10.24', 'at least 19.03', ''),
    finding('swap', 'warn', '2 GB of swap', 'none', 'swapoff -a'),
    finding('ports', 'fail', '6443 taken by nginx (17)', 'it free', 'stop nginx or pass --api-port'),
  ];
  const preflight = async () => findings;
  const { exitCode, out } = await fakeCli(['preflight', '--skip-preflight', 'disk'], { verbs: { preflight } });
  t.equal(exitCode, 1);
  t.equal(
    out,
    `ok    engine (engine): Docker 20.10.24
warn  swap (swap): 2 GB of swap
      want: none
      fix:  swapoff -a
fail  ports (ports): 6443 taken by nginx (17)
      want: it free
      fix:  stop nginx or pass --api-port

1 ok, 1 to look at, 1 failed, 1 skipped
`,
  );
  t.equal((await fakeCli(['preflight'], { verbs: { preflight: async () => findings.slice(0, 2) } })).exitCode, 0);
});

t.test('render', async (t) => {
  let seen: string | undefined;
  const render = async (_: InstallOptions, dir: string) => {
    seen = dir;
    return { files: [`${dir}/a`, `${dir}/b`] };
  };
  const { out } = await fakeCli(['render', '/out'], { verbs: { render } });
  t.equal(seen, '/out');
  t.equal(out, '/out/a\n/out/b\n');
});
