import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { ConfigFile } from '../../../src/config/find-config-files.js';
import {
  defaultInstallOptions,
  resolveInstallOptions,
  resolveKubeconfigPath,
  resolveQuery,
} from '../../../src/config/resolve-options.js';
import { sources } from './sources.js';

function faultsOf(work: () => unknown): { code: string; faults: readonly string[] } {
  try {
    work();
  } catch (error) {
    if (error instanceof HyperupError) return { code: error.code, faults: error.details.faults as string[] };
    throw error;
  }
  return { code: 'none', faults: [] };
}

const file = (text: string, path = '/etc/hyperup/config.yaml'): ConfigFile => ({ path, text });

t.test('a bare machine gets every default', async (t) => {
  const { options, notes } = resolveInstallOptions(sources());
  t.strictSame(notes, []);
  t.strictSame(options, {
    cluster: {
      name: 'hyperup',
      kubernetesVersion: 'v1.20.2',
      kubelet: 'auto',
      dns: 'auto',
      nodeName: 'edge-1.lab',
      nodeAddress: '192.0.2.7',
      apiPort: 6443,
      serviceCidr: '10.96.0.0/12',
      podCidr: undefined,
      clusterDomain: 'cluster.local',
      nodePortRange: '30000-32767',
      extraSans: [],
      paths: {
        configDir: '/etc/kubernetes',
        stateDir: '/var/lib/hyperup',
        etcdDir: '/var/lib/hyperup/etcd',
        kubeletDir: '/var/lib/kubelet',
        podLogDir: '/var/log/pods',
      },
      ports: {
        api: 6443,
        etcdClient: 2379,
        etcdPeer: 2380,
        controllerManager: 10257,
        scheduler: 10259,
        kubelet: 10250,
        kubeletHealth: 10248,
        proxyHealth: 10256,
        proxyMetrics: 10249,
      },
    },
    images: {
      mirrors: [],
      build: true,
      cacheDir: '/home/ada/.cache/hyperup',
      stallMs: 20000,
      bundle: undefined,
      lock: undefined,
      debianMirror: undefined,
    },
    engineHost: undefined,
    engineInstall: false,
    skipPreflight: [],
    kubeconfigPath: '/home/ada/.kube/config',
    keepOnFailure: false,
    dryRun: false,
    timeoutMs: 180000,
  });
});

t.test("a flag beats a variable, a variable a file, the user's file the system's", async (t) => {
  const user = file('cluster: {apiPort: 3, name: user}', '/home/ada/.config/hyperup/config.yaml');
  const system = file('cluster: {apiPort: 4, name: system, clusterDomain: lab.example}');
  const files = [user, system];
  const portOf = (given: Parameters<typeof sources>[0]) => resolveInstallOptions(sources(given)).options.cluster;
  t.equal(portOf({ files, env: { HYPERUP_API_PORT: '2' }, flags: { 'cluster.apiPort': '1' } }).apiPort, 1);
  t.equal(portOf({ files, env: { HYPERUP_API_PORT: '2' } }).apiPort, 2);
  t.equal(portOf({ files }).apiPort, 3);
  t.match(portOf({ files }), { name: 'user', clusterDomain: 'lab.example' });
  t.equal(portOf({ files: [system] }).apiPort, 4);
  t.equal(portOf({ env: { HYPERUP_API_PORT: '' } }).apiPort, 6443, 'an empty variable counts as unset');
});

t.test('every kind of value, in every spelling', async (t) => {
  const cases = [
    {
      name: 'list of flags',
      given: { flags: { 'images.mirrors': ['a.example,b.example', 'a.example'] } },
      want: { images: { mirrors: ['a.example', 'b.example'] } },
    },
    {
      name: 'list in a variable',
      given: { env: { HYPERUP_EXTRA_SANS: 'k8s.example, 192.0.2.9' } },
      want: { cluster: { extraSans: ['k8s.example', '192.0.2.9'] } },
    },
    {
      name: 'list in a file',
      given: { files: [file('skipPreflight: [swap, memory]')] },
      want: { skipPreflight: ['swap', 'memory'] },
    },
    { name: 'one word for a list', given: { files: [file('skipPreflight: swap')] }, want: { skipPreflight: ['swap'] } },
    { name: 'switched off by a variable', given: { env: { HYPERUP_BUILD: 'no' } }, want: { images: { build: false } } },
    { name: 'duration in a flag', given: { flags: { timeoutMs: '1.5m' } }, want: { timeoutMs: 90000 } },
    {
      name: 'duration in seconds',
      given: { files: [file('timeout: 45\nimages: {stallTimeout: 5s}')] },
      want: { timeoutMs: 45000, images: { stallMs: 5000 } },
    },
    {
      name: 'a version without v',
      given: { flags: { 'cluster.kubernetesVersion': '1.20.15' } },
      want: { cluster: { kubernetesVersion: 'v1.20.15' } },
    },
    {
      name: 'the newest patch of a minor',
      given: { flags: { 'cluster.kubernetesVersion': '1.20' } },
      want: { cluster: { kubernetesVersion: 'v1.20.15' } },
    },
    {
      name: 'home in a file',
      given: { files: [file('kubeconfig: ~/k.yaml\nimages: {cacheDir: ~/c}')] },
      want: { kubeconfigPath: '/home/ada/k.yaml', images: { cacheDir: '/home/ada/c' } },
    },
    {
      name: 'a relative kubeconfig',
      given: { flags: { kubeconfigPath: 'k.yaml' } },
      want: { kubeconfigPath: '/work-dir/k.yaml' },
    },
    {
      name: 'KUBECONFIG, first entry',
      given: { env: { KUBECONFIG: ':/a/one:/b/two' } },
      want: { kubeconfigPath: '/a/one' },
    },
    { name: 'KUBECONFIG, relative', given: { env: { KUBECONFIG: 'one' } }, want: { kubeconfigPath: '/work-dir/one' } },
    {
      name: 'XDG_CACHE_HOME',
      given: { env: { XDG_CACHE_HOME: '/cache' } },
      want: { images: { cacheDir: '/cache/hyperup' } },
    },
    {
      name: 'etcd follows the state folder',
      given: { flags: { 'cluster.paths.stateDir': '/data/h' } },
      want: { cluster: { paths: { stateDir: '/data/h', etcdDir: '/data/h/etcd' } } },
    },
    {
      name: 'etcd elsewhere',
      given: { env: { HYPERUP_STATE_DIR: '/data/h', HYPERUP_ETCD_DIR: '/ssd/etcd' } },
      want: { cluster: { paths: { etcdDir: '/ssd/etcd' } } },
    },
    {
      name: 'ports.api is apiPort',
      given: { flags: { 'cluster.apiPort': '7443' } },
      want: { cluster: { apiPort: 7443, ports: { api: 7443 } } },
    },
    { name: 'an empty file', given: { files: [file('# nothing\n')] }, want: { cluster: { name: 'hyperup' } } },
    {
      name: 'an empty section',
      given: { files: [file('cluster:\nimages:\n  build:\n')] },
      want: { images: { build: true } },
    },
  ] as const;
  for (const { name, given, want } of cases) t.match(resolveInstallOptions(sources(given)).options, want, name);
});

t.test('each fault names its source, what was got and what is wanted', async (t) => {
  const cases = [
    {
      name: 'port',
      given: { flags: { 'cluster.apiPort': '70000' } },
      code: 'Usage',
      faults: ['--api-port: got 70000, want a port from 1 to 65535'],
    },
    {
      name: 'no number',
      given: { env: { HYPERUP_API_PORT: 'x' } },
      code: 'InvalidConfig',
      faults: ['HYPERUP_API_PORT: got "x", want a port from 1 to 65535'],
    },
    {
      name: 'host bits',
      given: { flags: { 'cluster.serviceCidr': '10.96.0.1/16' } },
      code: 'Usage',
      faults: [/^--service-cidr: got "10\.96\.0\.1\/16", want .*did you mean 10\.96\.0\.0\/16\?/],
    },
    {
      name: 'no range',
      given: { flags: { 'cluster.podCidr': '10.0.0.0' } },
      code: 'Usage',
      faults: [/^--pod-cidr: got "10\.0\.0\.0", want an IPv4 range/],
    },
    {
      name: 'range too large',
      given: { flags: { 'cluster.serviceCidr': '10.0.0.0/8' } },
      code: 'Usage',
      faults: [/want an IPv4 range between \/12 and \/29/],
    },
    {
      name: 'IPv6 range',
      given: { flags: { 'cluster.serviceCidr': 'fd00::/108' } },
      code: 'Usage',
      faults: [/want an IPv4 range/],
    },
    {
      name: 'no such DNS server',
      given: { flags: { 'cluster.dns': 'coreDNS' } },
      code: 'Usage',
      faults: ['--dns: got "coreDNS", want auto, coredns, builtin or none (did you mean coredns?)'],
    },
    {
      name: 'no room for the DNS server',
      given: { flags: { 'cluster.dns': 'builtin', 'cluster.serviceCidr': '10.0.0.0/29' } },
      code: 'Usage',
      faults: ['--service-cidr: got 10.0.0.0/29, want at least a /28 for --dns builtin'],
    },
    {
      name: 'name',
      given: { flags: { 'cluster.nodeName': 'my_node' } },
      code: 'Usage',
      faults: [/^--node-name: got "my_node", want an RFC 1123 name/],
    },
    {
      name: "the host's own name",
      given: { host: { hostname: 'my_host' } },
      code: 'InvalidConfig',
      faults: [/got "my_host".*it is this host's name: pass --node-name/],
    },
    {
      name: 'cluster name',
      given: { flags: { 'cluster.name': 'Lab' } },
      code: 'Usage',
      faults: [/^--name: got "Lab", want at most 40/],
    },
    {
      name: 'unknown version',
      given: { flags: { 'cluster.kubernetesVersion': '1.20.3' } },
      code: 'Usage',
      faults: ['--kubernetes-version: got v1.20.3, want one of v1.20.2, v1.20.15, v1.24.0 (nearest: v1.20.2)'],
    },
    {
      name: 'no version',
      given: { flags: { 'cluster.kubernetesVersion': 'latest' } },
      code: 'Usage',
      faults: ['--kubernetes-version: got "latest", want a known Kubernetes version, such as v1.20.2'],
    },
    {
      name: 'no dockershim',
      given: { flags: { 'cluster.kubernetesVersion': 'v1.24.0', 'cluster.kubelet': 'hyperkube' } },
      code: 'Usage',
      faults: ["--kubelet: got hyperkube with v1.24.0, whose kubelet can't drive Docker; want builtin or auto"],
    },
    {
      name: 'duration',
      given: { flags: { timeoutMs: 'soon' } },
      code: 'Usage',
      faults: ['--timeout: got "soon", want a duration from 1s to 24h, such as 90s or 3m'],
    },
    {
      name: 'duration too short',
      given: { flags: { timeoutMs: '10ms' } },
      code: 'Usage',
      faults: [/^--timeout: got 10, want/],
    },
    {
      name: 'boolean',
      given: { env: { HYPERUP_BUILD: 'maybe' } },
      code: 'InvalidConfig',
      faults: ['HYPERUP_BUILD: got "maybe", want true or false'],
    },
    {
      name: 'SAN',
      given: { flags: { 'cluster.extraSans': ['ok.example', 'not ok'] } },
      code: 'Usage',
      faults: ['--extra-san: got "not ok", want a DNS name or an IP address'],
    },
    {
      name: 'relative folder',
      given: { env: { HYPERUP_STATE_DIR: 'state' } },
      code: 'InvalidConfig',
      faults: ['HYPERUP_STATE_DIR: got "state", want an absolute path of a folder of its own'],
    },
    {
      name: 'shared folder',
      given: { env: { HYPERUP_CONFIG_DIR: '/etc/' } },
      code: 'InvalidConfig',
      faults: [/^HYPERUP_CONFIG_DIR: got "\/etc", want/],
    },
    {
      name: 'same folder',
      given: { env: { HYPERUP_CONFIG_DIR: '/var/lib/kubelet' } },
      code: 'InvalidConfig',
      faults: [/want a folder apart from/],
    },
    {
      name: 'nested folder',
      given: { env: { HYPERUP_ETCD_DIR: '/etc/kubernetes/etcd' } },
      code: 'InvalidConfig',
      faults: [
        'HYPERUP_ETCD_DIR: got /etc/kubernetes/etcd, want a folder apart from cluster.paths.configDir /etc/kubernetes',
      ],
    },
    {
      name: 'colliding ports',
      given: { flags: { 'cluster.apiPort': '2379' } },
      code: 'InvalidConfig',
      faults: ['cluster.ports.etcdClient: got 2379, which --api-port has too'],
    },
    {
      name: 'NodePort',
      given: { flags: { 'cluster.apiPort': '30001' } },
      code: 'Usage',
      faults: ['--api-port: got 30001, want a port outside cluster.nodePortRange 30000-32767'],
    },
    {
      name: 'range upside down',
      given: { env: { HYPERUP_NODE_PORT_RANGE: '32767-30000' } },
      code: 'InvalidConfig',
      faults: [/^HYPERUP_NODE_PORT_RANGE: got "32767-30000", want two ports/],
    },
    {
      name: 'overlap',
      given: { flags: { 'cluster.podCidr': '10.100.0.0/16' } },
      code: 'Usage',
      faults: ['--pod-cidr: got 10.100.0.0/16, which overlaps cluster.serviceCidr 10.96.0.0/12'],
    },
    {
      name: 'node within services',
      given: { flags: { 'cluster.nodeAddress': '10.96.0.9' } },
      code: 'InvalidConfig',
      faults: ["cluster.serviceCidr: got 10.96.0.0/12, which holds the node's own address 10.96.0.9"],
    },
    {
      name: 'another machine',
      given: { flags: { engineHost: 'ssh://root@host' } },
      code: 'Usage',
      faults: [/^--engine-host: got "ssh:\/\/root@host", want unix:/],
    },
    {
      name: 'empty preflight id',
      given: { flags: { skipPreflight: ['a b'] } },
      code: 'Usage',
      faults: ['--skip-preflight: got "a b", want the id of a preflight check'],
    },
    {
      name: 'debian mirror',
      given: { flags: { 'images.debianMirror': 'mirror.example' } },
      code: 'Usage',
      faults: ['--debian-mirror: got "mirror.example", want an http:// or https:// URL'],
    },
    {
      name: 'contradiction',
      given: { flags: { dryRun: true, keepOnFailure: true } },
      code: 'Usage',
      faults: ['--dry-run and --keep-on-failure: choose one: a dry run makes nothing that could be kept'],
    },
    {
      name: 'wrong shape',
      given: { files: [file('images: yes')] },
      code: 'InvalidConfig',
      faults: ['images in /etc/hyperup/config.yaml: got "yes", want a mapping'],
    },
    {
      name: 'wrong leaf',
      given: { files: [file('images: {mirrors: {a: 1}}')] },
      code: 'InvalidConfig',
      faults: [/^images\.mirrors in .*: got \{"a":1\}, want host/],
    },
    {
      name: 'a list for a file',
      given: { files: [file('- a')] },
      code: 'InvalidConfig',
      faults: ['/etc/hyperup/config.yaml: got a list, want a mapping'],
    },
    {
      name: 'unknown key, misspelt',
      given: { files: [file('cluster: {apiport: 1}')] },
      code: 'InvalidConfig',
      faults: ['cluster.apiport in /etc/hyperup/config.yaml: unknown key; did you mean cluster.apiPort?'],
    },
    {
      name: 'unknown key, misplaced',
      given: { files: [file('mirrors: [a.example]')] },
      code: 'InvalidConfig',
      faults: [/unknown key; did you mean images\.mirrors\?$/],
    },
    {
      name: 'unknown key',
      given: { files: [file('colour: blue')] },
      code: 'InvalidConfig',
      faults: [/^colour in .*: unknown key; known keys are cluster\.kubernetesVersion, /],
    },
    {
      name: 'malformed YAML',
      given: { files: [file('cluster:\n  name: [a\n')] },
      code: 'InvalidConfig',
      faults: [/^parse \/etc\/hyperup\/config\.yaml: line 3, column 1: /],
    },
    {
      name: 'a key twice',
      given: { files: [file('timeout: 1m\ntimeout: 2m\n')] },
      code: 'InvalidConfig',
      faults: [/line 2, column 1: duplicated mapping key/],
    },
    {
      name: 'unreadable',
      given: { files: [{ path: '/x.yaml', failure: 'EACCES: permission denied' }] },
      code: 'InvalidConfig',
      faults: ['read /x.yaml: EACCES: permission denied'],
    },
  ] as const;
  for (const { name, given, code, faults } of cases) {
    t.match(
      faultsOf(() => resolveInstallOptions(sources(given))),
      { code, faults },
      name,
    );
    t.equal(
      faultsOf(() => resolveInstallOptions(sources(given))).faults.length,
      faults.length,
      `${name}: no other fault`,
    );
  }
});

t.test('all faults come at once, those that follow from others left out', async (t) => {
  const given = sources({
    flags: { 'cluster.apiPort': '0', 'cluster.podCidr': 'x', dryRun: true, keepOnFailure: true },
    env: { HYPERUP_NAME: '-' },
    files: [{ path: '/a.yaml', failure: 'EISDIR' }, file('nonsense: 1')],
  });
  const { code, faults } = faultsOf(() => resolveInstallOptions(given));
  t.equal(code, 'InvalidConfig');
  t.match(faults, [/^--dry-run/, /^read \/a\.yaml/, /^nonsense/, /^HYPERUP_NAME/, /^--api-port/, /^--pod-cidr/]);
  t.equal(faults.length, 6);
});

t.test("mirrors are read by the mirror room, each one's fault by itself", async (t) => {
  const readMirrors = (mirrors: readonly string[]) => {
    if (mirrors.includes('bad'))
      throw new HyperupError('InvalidConfig', 'read mirror "bad": no', { hint: 'Write better.' });
    if (mirrors.includes('none') && mirrors.includes('upstream')) throw new Error('both');
  };
  const faults = (mirrors: readonly string[]) =>
    faultsOf(() => resolveInstallOptions(sources({ flags: { 'images.mirrors': mirrors }, known: { readMirrors } })))
      .faults;
  t.strictSame(faults(['bad', 'a.example']), ['--mirror: read mirror "bad": no (Write better.)']);
  t.strictSame(faults(['none', 'upstream']), ['--mirror: both']);
  t.strictSame(faults(['none']), []);
});

t.test('an unknown preflight check gets a suggestion', async (t) => {
  const given = sources({ flags: { skipPreflight: ['swop', 'ports'] }, known: { preflightIds: ['swap', 'ports'] } });
  t.strictSame(faultsOf(() => resolveInstallOptions(given)).faults, [
    '--skip-preflight: got "swop", want a known check; did you mean swap?',
  ]);
});

t.test('notes', async (t) => {
  const notes = (given: Parameters<typeof sources>[0]) =>
    resolveInstallOptions(sources(given)).notes.map((note) => note.message);
  t.match(notes({ host: { sudoUser: 'ada' } }), [/^running under sudo: the kubeconfig is root's, not ada's$/]);
  t.strictSame(notes({ host: { sudoUser: 'ada' }, flags: { kubeconfigPath: '/k' } }), []);
  t.match(notes({ host: { nodeAddress: undefined } }), [/no address but loopback/]);
  t.strictSame(notes({ host: { nodeAddress: undefined }, flags: { 'cluster.nodeAddress': '192.0.2.1' } }), []);
  t.match(notes({ env: { HYPERUP_MIROR: 'x' } }), [
    /^HYPERUP_MIROR is no variable of hyperup: did you mean HYPERUP_MIRRORS\?$/,
  ]);
  t.strictSame(notes({ env: { HYPERUP_E2E: '1', HYPERUP_CONFIG: '/x', OTHER_MIROR: 'x' } }), []);
});

t.test('a query overlooks the faults of options that it does not need', async (t) => {
  const bad = file('cluster: {apiPort: 0, paths: {stateDir: /data/h}}\nengineHost: unix:///x.sock');
  t.strictSame(resolveQuery(sources({ files: [bad], env: { HYPERUP_TIMEOUT: '5s' } })).options, {
    stateDir: '/data/h',
    engineHost: 'unix:///x.sock',
    timeoutMs: 5000,
  });
  t.match(
    faultsOf(() => resolveQuery(sources({ flags: { engineHost: 'nowhere', timeoutMs: 'x' } }))),
    {
      code: 'Usage',
      faults: [/^--engine-host: got "nowhere"/, /^--timeout: got "x"/],
    },
  );
  t.match(faultsOf(() => resolveQuery(sources({ files: [file('x: 1')] }))).faults, [/^x in .*unknown key/]);
  t.equal(resolveKubeconfigPath(sources({ env: { HYPERUP_KUBECONFIG: '/k' } })), '/k');
});

t.test("library callers get checked options over this host's defaults", async (t) => {
  const options = defaultInstallOptions({
    cluster: { nodeName: 'n', apiPort: 7443, paths: { stateDir: '/data/h' } },
    images: { mirrors: ['a.example'] },
  });
  t.match(options.cluster, {
    apiPort: 7443,
    ports: { api: 7443, etcdPeer: 2380 },
    paths: { etcdDir: '/data/h/etcd', kubeletDir: '/var/lib/kubelet' },
  });
  t.strictSame(options.images.mirrors, ['a.example']);
  t.match(
    faultsOf(() => defaultInstallOptions({ cluster: { nodeName: 'n', apiPort: 0, ports: { scheduler: 10257 } } })),
    {
      code: 'InvalidConfig',
      faults: [
        'cluster.apiPort: got 0, want a port from 1 to 65535',
        'cluster.ports.scheduler: got 10257, which cluster.ports.controllerManager has too',
      ],
    },
  );
  t.match(faultsOf(() => defaultInstallOptions({ cluster: { nodeName: 'n', colour: 'blue' } } as object)).faults, [
    'cluster.colour: unknown option',
  ]);
});
