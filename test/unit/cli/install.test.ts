import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { StopSignal } from '../../../src/cli/cli-io.js';
import type { InstallOptions } from '../../../src/config/types.js';
import type { RunContext } from '../../../src/provision/runtime.js';
import type { InstallPlan } from '../../../src/provision/types.js';
import { endlessOperation, fakeCli, fakeOperation, installed, jsonLines } from './fake-cli.js';

const events: readonly ProgressEvent[] = [
  { type: 'step', step: 'images', title: 'Images', state: 'started' },
  { type: 'transfer', image: 'etcd', source: 'a.example', currentBytes: 0, totalBytes: 100_000_000 },
  { type: 'transfer', image: 'etcd', source: 'a.example', currentBytes: 10_000_000, totalBytes: 100_000_000 },
  { type: 'transfer', image: 'etcd', source: 'a.example', currentBytes: 100_000_000, totalBytes: 100_000_000 },
  { type: 'output', step: 'images', line: 'Step 1/3' },
  { type: 'wait', step: 'node', reason: 'node not Ready' },
  { type: 'wait', step: 'node', reason: 'node not Ready' },
  { type: 'note', level: 'warn', message: 'swap is on', hint: 'Run swapoff -a.' },
  { type: 'step', step: 'images', title: 'Images', state: 'done', elapsedMs: 1500 },
  { type: 'step', step: 'kubectl', title: 'kubectl', state: 'skipped', detail: 'there already' },
];

t.test('off a terminal: plain lines on stderr, the summary on stdout', async (t) => {
  let run: RunContext | undefined;
  const install = (_: InstallOptions, given?: RunContext) => {
    run = given;
    return fakeOperation(installed, events);
  };
  const { exitCode, out, err } = await fakeCli(['install'], { verbs: { install } });
  t.equal(exitCode, 0);
  t.equal(run?.renderer, 'silent');
  t.equal(
    err,
    [
      '[....] Images',
      '       etcd from a.example: 0 B of 100 MB',
      '       etcd from a.example: 100 MB of 100 MB',
      '       waiting: node not Ready',
      'warning: swap is on',
      '  Run swapoff -a.',
      '[ ok ] Images (1.5 s)',
      '[skip] kubectl: there already',
      '',
    ].join('\n'),
  );
  t.match(
    out,
    'Cluster hyperup is up: Kubernetes v1.20.2 at https://192.0.2.7:6443 (installed and verified in 41.2 s).',
  );
  t.match(out, 'kubeconfig  /home/ada/.kube/config (context hyperup)');
  t.match(out, '\n  kubectl get nodes\n');
  t.notMatch(out, 'export KUBECONFIG');
});

t.test('on a terminal the live list is left to the verb; notes come after it', async (t) => {
  let run: RunContext | undefined;
  const install = (_: InstallOptions, given?: RunContext) => {
    run = given;
    return fakeOperation(installed, events);
  };
  const { err } = await fakeCli(['install'], { verbs: { install }, tty: true });
  t.equal(run?.renderer, 'default');
  t.equal(err, 'warning: swap is on\n  Run swapoff -a.\n');
  for (const argv of [['-v'], ['-q'], ['--json']]) {
    await fakeCli(['install', ...argv], { verbs: { install }, tty: true });
    t.equal(run?.renderer, 'silent', argv.join(' '));
  }
  await fakeCli(['install'], { verbs: { install }, tty: true, env: { TERM: 'dumb' } });
  t.equal(run?.renderer, 'silent', 'a terminal that cannot redraw');
});

t.test('--json: each event a line, then the result, nothing on stderr', async (t) => {
  const verbs = { install: () => fakeOperation(installed, events) };
  const { out, err } = await fakeCli(['install', '--json'], { verbs });
  const lines = jsonLines(out);
  t.strictSame(lines.slice(0, -1), events);
  t.match(lines.at(-1), { type: 'result', verb: 'install', ok: true, result: { context: 'hyperup', changed: true } });
  t.equal(err, '');
  const quiet = jsonLines((await fakeCli(['--json', '-q', 'install'], { verbs })).out);
  t.equal(quiet.length, 1, 'with -q the result alone');
});

t.test('-q prints nothing but warnings', async (t) => {
  const { out, err } = await fakeCli(['install', '-q'], { verbs: { install: () => fakeOperation(installed, events) } });
  t.equal(out, '');
  t.equal(err, 'warning: swap is on\n  Run swapoff -a.\n');
});

t.test('-v also prints output', async (t) => {
  const { err } = await fakeCli(['install', '-v'], { verbs: { install: () => fakeOperation(installed, events) } });
  t.match(err, '       | Step 1/3\n');
});

t.test('the summary says how to find another kubeconfig, and what is missing', async (t) => {
  const result = { ...installed, kubeconfigPath: "/it's/k", kubectl: undefined, changed: false };
  const verbs = { install: () => fakeOperation(result) };
  const { out } = await fakeCli(['install', '--kubeconfig', "/it's/k"], { verbs });
  t.match(out, "  export KUBECONFIG='/it'\\''s/k'\n");
  t.match(out, 'kubectl     none found');
  t.match(out, '(it was there already, nothing changed)');
});

t.test('flags reach the verb', async (t) => {
  let options: InstallOptions | undefined;
  const install = (given: InstallOptions) => {
    options = given;
    return fakeOperation(installed);
  };
  const argv = ['install', '--mirror', 'a.example', '--mirror', 'b.example/k8s', '--no-build', '--api-port=7443'];
  argv.push(
    '--skip-preflight',
    'swap,ports',
    '--extra-san',
    'k8s.example',
    '--timeout',
    '90s',
    '--engine-host',
    '/x.sock',
  );
  const configText = 'cluster: {name: lab}\nengineInstall: true';
  t.equal((await fakeCli(argv, { verbs: { install }, configText })).exitCode, 0);
  t.match(options, {
    cluster: { name: 'lab', apiPort: 7443, extraSans: ['k8s.example'] },
    images: { mirrors: ['a.example', 'b.example/k8s'], build: false },
    skipPreflight: ['swap', 'ports'],
    engineHost: '/x.sock',
    engineInstall: true,
    timeoutMs: 90_000,
  });
});

t.test('a failure: message, causes, output, hint on stderr; 1', async (t) => {
  const error = new HyperupError('Unhealthy', 'start etcd: got exit code 1, want a running container', {
    hint: 'Free the port.',
    output: 'listen tcp: address in use\n',
    cause: new Error('connect ECONNREFUSED', { cause: new Error('connect ECONNREFUSED') }),
  });
  const verbs = { install: () => fakeOperation<never>(error) };
  const { exitCode, out, err } = await fakeCli(['install'], { verbs });
  t.equal(exitCode, 1);
  t.equal(out, '');
  t.equal(
    err,
    [
      'error: start etcd: got exit code 1, want a running container',
      '  caused by: connect ECONNREFUSED',
      'output:',
      '  | listen tcp: address in use',
      'hint: Free the port.',
      '',
    ].join('\n'),
  );
  t.match((await fakeCli(['install', '-v'], { verbs })).err, /\n {4}at /, 'the stack with -v');
  const json = await fakeCli(['install', '--json'], { verbs });
  t.equal(json.err, '');
  t.match(jsonLines(json.out), [
    {
      type: 'result',
      verb: 'install',
      ok: false,
      exitCode: 1,
      error: {
        code: 'Unhealthy',
        hint: 'Free the port.',
        causes: ['connect ECONNREFUSED'],
        output: 'listen tcp: address in use\n',
      },
    },
  ]);
});

t.test('the first stop signal aborts and says so, the second ends at once', async (t) => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    let stop: (name: StopSignal) => void = () => t.fail('no one listens');
    const { exitCode, err, exitedNow } = await fakeCli(['install'], {
      onStart: (given) => {
        stop = given;
      },
      verbs: { install: (_, run) => endlessOperation(run, () => stop(name)) },
    });
    t.equal(exitCode, 130, name);
    t.match(err, `\ninterrupted by ${name}: rolling back (once more to stop at once)\n`);
    t.match(err, '[undo] etcd\n');
    t.match(err, 'error: install: interrupted\n');
    t.strictSame(exitedNow, []);
  }
  let stop: (name: StopSignal) => void = () => t.fail('no one listens');
  const twice = await fakeCli(['install', '--keep-on-failure', '--json'], {
    onStart: (given) => {
      stop = given;
    },
    verbs: {
      install: (_, run) =>
        endlessOperation(run, () => {
          stop('SIGINT');
          stop('SIGINT');
        }),
    },
  });
  t.strictSame(twice.exitedNow, [130]);
  const lines = jsonLines(twice.out);
  t.match(lines[0], { type: 'note', message: /stopping, what was made stays/ });
  t.match(lines.at(-1), { type: 'result', ok: false, exitCode: 130, error: { code: 'Aborted' } });
});

t.test('--dry-run prints the plan and installs nothing', async (t) => {
  const plan: InstallPlan = {
    kubernetesVersion: 'v1.20.2',
    images: [
      {
        name: 'etcd',
        reference: 'k8s.gcr.io/etcd:3.4.13-0',
        source: 'mirror',
        detail: 'a.example/etcd',
        sizeBytes: 86_000_000,
      },
      {
        name: 'pause',
        reference: 'k8s.gcr.io/pause:3.2',
        source: 'build',
        detail: 'images/pause',
        sizeBytes: undefined,
      },
    ],
    files: [{ path: '/etc/kubernetes/pki/ca.key', mode: 0o600, sizeBytes: 1675 }],
    containers: [
      { name: 'hyperup-kubelet', image: 'k8s.gcr.io/hyperkube:v1.20.2', command: ['/hyperkube', 'kubelet', '--x=a b'] },
    ],
    ports: [{ port: 6443, component: 'kube-apiserver' }],
    hostChanges: ['share the mount /var/lib/kubelet'],
  };
  const { exitCode, out } = await fakeCli(['install', '--dry-run'], { verbs: { planInstall: async () => plan } });
  t.equal(exitCode, 0);
  t.equal(
    out,
    `Kubernetes v1.20.2: the plan; nothing has been changed.

Images (86.0 MB)
  IMAGE  REFERENCE                 FROM    SIZE     DETAIL
  etcd   k8s.gcr.io/etcd:3.4.13-0  mirror  86.0 MB  a.example/etcd
  pause  k8s.gcr.io/pause:3.2      build   unknown  images/pause

Files (1)
  MODE  BYTES  FILE
  0600  1675   /etc/kubernetes/pki/ca.key

Containers
  hyperup-kubelet  k8s.gcr.io/hyperkube:v1.20.2
    /hyperkube kubelet '--x=a b'

Ports
  PORT  COMPONENT
  6443  kube-apiserver

Host changes
  share the mount /var/lib/kubelet
`,
  );
});
