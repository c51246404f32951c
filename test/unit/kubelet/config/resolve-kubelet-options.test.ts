import t from 'tap';
import { readConfiguration } from '../../../../src/kubelet/config/kubelet-configuration.js';
import { parseKubeletFlags } from '../../../../src/kubelet/config/kubelet-flags.js';
import type { KubeletOptions } from '../../../../src/kubelet/config/kubelet-options.js';
import { type KubeletInputs, resolveKubeletOptions } from '../../../../src/kubelet/config/resolve-kubelet-options.js';

const host: KubeletInputs['host'] = { hostname: 'Box.example', defaultAddress: '192.0.2.7', hostRoot: '' };

function resolve(argv: readonly string[] = [], file: object = {}, over: Partial<KubeletInputs['host']> = {}) {
  const parsed = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...file };
  return resolveKubeletOptions({
    flags: parseKubeletFlags(argv),
    configuration: readConfiguration(parsed, 'kubelet.yaml'),
    parsed,
    host: { ...host, ...over },
    defaultVersion: 'v1.20.2',
    defaultPauseImage: 'pause:3.2',
  });
}

t.test('defaults', async (t) => {
  const options = resolve();
  t.match(options, {
    identity: {
      nodeName: 'box.example',
      nodeIps: ['192.0.2.7'],
      instance: 'box.example',
      rootDir: '/var/lib/kubelet',
      podLogDir: '/var/log/pods',
    },
    certDir: '/var/lib/kubelet/pki',
    server: {
      enabled: true,
      port: 10250,
      readOnlyPort: 0,
      anonymous: false,
      tokenReview: false,
      authorization: 'Webhook',
    },
    health: { address: '127.0.0.1', port: 10248 },
    node: { register: true, statusUpdateMs: 10_000, statusReportMs: 300_000, leaseSeconds: 40, maxImages: 50 },
    maxPods: 110,
    podPidsLimit: -1,
    reserved: {},
    eviction: { hard: { 'memory.available': '100Mi' }, soft: {}, pressureTransitionMs: 300_000 },
    pauseImage: 'pause:3.2',
    kubeletVersion: 'v1.20.2',
  });
  for (const name of ['kubeconfigPath', 'staticPods', 'engineHost', 'bootstrapKubeconfigPath'] as const) {
    t.equal(options[name], undefined, name);
  }
});

t.test('flags over the file over the defaults', async (t) => {
  const file = {
    staticPodPath: '/manifests',
    maxPods: 20,
    clusterDNS: ['10.0.0.1'],
    evictionHard: { 'memory.available': '1Gi' },
    kubeReserved: { cpu: '100m' },
    registerNode: true,
    serializeImagePulls: true,
    healthzPort: 0,
  };
  const cases: readonly (readonly [
    string,
    readonly string[],
    (options: KubeletOptions) => unknown,
    unknown,
    unknown,
  ])[] = [
    ['number', ['--max-pods=30'], ({ maxPods }) => maxPods, 20, 30],
    ['list', ['--cluster-dns=10.0.0.2,10.0.0.3'], ({ dns }) => dns.servers, ['10.0.0.1'], ['10.0.0.2', '10.0.0.3']],
    ['no list', ['--cluster-dns='], ({ dns }) => dns.servers, ['10.0.0.1'], []],
    [
      'thresholds go whole',
      ['--eviction-hard=nodefs.available<10%, pid.available<5%'],
      ({ eviction }) => eviction.hard,
      { 'memory.available': '1Gi' },
      { 'nodefs.available': '10%', 'pid.available': '5%' },
    ],
    ['no thresholds', ['--eviction-hard='], ({ eviction }) => eviction.hard, { 'memory.available': '1Gi' }, {}],
    [
      'pairs',
      ['--kube-reserved=cpu=1,memory=1Gi'],
      ({ reserved }) => reserved,
      { cpu: '100m' },
      { cpu: '1', memory: '1Gi' },
    ],
    ['boolean', ['--register-node=false'], ({ node }) => node.register, true, false],
    [
      'no static pods',
      ['--pod-manifest-path='],
      ({ staticPods }) => staticPods,
      { path: '/manifests', scanMs: 20_000 },
      undefined,
    ],
    ['pulls', ['--serialize-image-pulls=0'], ({ maxParallelImagePulls }) => maxParallelImagePulls, 1, 5],
    [
      'health',
      ['--healthz-port=99', '--healthz-bind-address=0.0.0.0'],
      ({ health }) => health,
      undefined,
      { address: '0.0.0.0', port: 99 },
    ],
  ];
  for (const [name, argv, pick, ofFile, ofFlags] of cases) {
    t.strictSame(pick(resolve([], file)), ofFile, `${name}: file`);
    t.strictSame(pick(resolve(argv, file)), ofFlags, `${name}: flag`);
  }
});

t.test('a file of zeros runs by the defaults', async (t) => {
  const zeros = {
    nodeStatusUpdateFrequency: '0s',
    fileCheckFrequency: '0s',
    maxPods: 0,
    evictionPressureTransitionPeriod: '0s',
    staticPodPath: '/m',
    nodeLeaseDurationSeconds: 0,
  };
  t.strictSame(
    { ...resolve([], zeros), configuration: {} },
    { ...resolve([], { staticPodPath: '/m' }), configuration: {} },
  );
  const flags = ['--node-status-update-frequency=0', '--pod-manifest-path=/m', '--file-check-frequency=0s'];
  t.equal(resolve(flags).node.statusUpdateMs, 10_000, 'nor does a flag make a busy loop');
  t.equal(resolve(flags).staticPods?.scanMs, 20_000);
});

t.test('what is set aside for the system and for Kubernetes adds up', async (t) => {
  const file = {
    kubeReserved: { cpu: '100m', memory: '256Mi' },
    systemReserved: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' },
  };
  t.strictSame(resolve([], file).reserved, { cpu: '1100m', memory: '1280Mi', 'ephemeral-storage': '1Gi' });
});

t.test('the node', async (t) => {
  const { identity, node } = resolve(
    [
      '--hostname-override=Node-1 ',
      '--node-ip=192.0.2.8,2001:db8::1',
      '--instance=second',
      '--node-labels=a=b,c=,d=e=f',
      '--register-with-taints=k=v:NoSchedule,only:NoExecute,empty=:PreferNoSchedule',
    ],
    { registerWithTaints: [{ key: 'file', effect: 'NoSchedule' }] },
  );
  t.match(identity, { nodeName: 'node-1', nodeIps: ['192.0.2.8', '2001:db8::1'], instance: 'second' });
  t.strictSame(node.labels, { a: 'b', c: '', d: 'e=f' });
  t.strictSame(node.taints, [
    { key: 'k', value: 'v', effect: 'NoSchedule' },
    { key: 'only', effect: 'NoExecute' },
    { key: 'empty', effect: 'PreferNoSchedule' },
  ]);
  t.throws(() => resolve([], {}, { defaultAddress: undefined }), { code: 'InvalidConfig', hint: /--node-ip/ });
});

t.test('with an API server', async (t) => {
  const options = resolve(['--kubeconfig=/k', '--bootstrap-kubeconfig=/b', '--tls-min-version=VersionTLS13']);
  t.match(options, {
    kubeconfigPath: '/k',
    bootstrapKubeconfigPath: '/b',
    server: { tokenReview: true, minTlsVersion: 'TLSv1.3' },
  });
  t.equal(resolve(['--kubeconfig=/k'], { authentication: { webhook: { enabled: false } } }).server.tokenReview, false);
});

t.test('flags that make no sense', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['--port=x', 'read --port: got x, want a whole number'],
    ['--port=', 'read --port: got , want a whole number'],
    ['--anonymous-auth=maybe', 'read --anonymous-auth: got maybe, want true or false'],
    ['--authorization-mode=RBAC', 'read --authorization-mode: got RBAC, want AlwaysAllow or Webhook'],
    ['--file-check-frequency=5', 'read --file-check-frequency: got 5, want a duration'],
    ['--eviction-hard=memory.available', 'read --eviction-hard: got memory.available, want such as'],
    ['--eviction-hard=memory.available<x', 'read --eviction-hard: got memory.available<x, want a map'],
    ['--kube-reserved=cpu', 'read --kube-reserved: got cpu, want name=value'],
    ['--node-labels=a', 'read --node-labels: got a, want name=value'],
    ['--register-with-taints=k=v', 'read --register-with-taints: got k=v'],
    ['--bootstrap-kubeconfig=/b', 'it needs --kubeconfig'],
  ];
  for (const [argument, message] of cases) {
    t.throws(
      () => resolve([argument]),
      { code: 'Usage', message: new RegExp(message.replaceAll('.', '\\.')) },
      argument,
    );
  }
});

t.test('a soft threshold needs a grace', async (t) => {
  const soft = '--eviction-soft=memory.available<1Gi,nodefs.available<5%';
  t.throws(() => resolve([soft, '--eviction-soft-grace-period=nodefs.available=1m']), {
    code: 'InvalidConfig',
    message: /no evictionSoftGracePeriod for memory\.available$/,
  });
  const { eviction } = resolve([soft, '--eviction-soft-grace-period=nodefs.available=1m,memory.available=90s']);
  t.strictSame(eviction.softGraceMs, { 'nodefs.available': 60_000, 'memory.available': 90_000 });
});

t.test('a route to Service addresses', async (t) => {
  t.equal(resolve([]).serviceRoute, undefined);
  t.same(resolve(['--service-route=10.96.0.0/12,docker0,172.17.0.1']).serviceRoute, {
    destination: '10.96.0.0/12',
    link: 'docker0',
    source: '172.17.0.1',
  });
  for (const text of [
    'x',
    '10.96.0.0,docker0,172.17.0.1',
    '10.96.0.0/12,-4,172.17.0.1',
    '10.96.0.0/12,docker0,x',
    '10.96.0.0/12,a,1.2.3.4,b',
  ]) {
    t.throws(
      () => resolve([`--service-route=${text}`]),
      { code: 'Usage', message: /want RANGE,INTERFACE,ADDRESS/ },
      text,
    );
  }
});

t.test('who connects pods', async (t) => {
  t.equal(resolve([]).podNetwork, 'auto');
  t.equal(resolve(['--pod-network=engine']).podNetwork, 'engine');
  t.throws(() => resolve(['--pod-network=cni']), { code: 'Usage', message: /got "cni", want auto or engine/ });
});
