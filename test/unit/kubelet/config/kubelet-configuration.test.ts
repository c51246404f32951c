import t from 'tap';
import { readConfiguration } from '../../../../src/kubelet/config/kubelet-configuration.js';

const head = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' };
const read = (fields: object) => Object.fromEntries(readConfiguration({ ...head, ...fields }, 'kubelet.yaml'));

function faultsOf(parsed: unknown): readonly string[] {
  try {
    readConfiguration(parsed, 'kubelet.yaml');
  } catch (error) {
    return (error as { details: { faults?: readonly string[] } }).details.faults ?? [String(error)];
  }
  return [];
}

t.test('values by path, in our terms', async (t) => {
  t.strictSame(
    read({
      authentication: {
        anonymous: { enabled: false },
        x509: { clientCAFile: '/pki/ca.crt' },
        webhook: { cacheTTL: '2m' },
      },
      cgroupDriver: 'systemd',
      clusterDNS: ['10.96.0.10'],
      evictionHard: { 'memory.available': '5%', 'nodefs.available': '1Gi' },
      evictionSoftGracePeriod: { 'memory.available': '1m30s' },
      healthzPort: 0,
      kubeReserved: { cpu: '200m' },
      registerWithTaints: [{ key: 'a', effect: 'NoSchedule' }],
    }),
    {
      'authentication.anonymous.enabled': false,
      'authentication.x509.clientCAFile': '/pki/ca.crt',
      'authentication.webhook.cacheTTL': 120_000,
      cgroupDriver: 'systemd',
      clusterDNS: ['10.96.0.10'],
      evictionHard: { 'memory.available': '5%', 'nodefs.available': '1Gi' },
      evictionSoftGracePeriod: { 'memory.available': 90_000 },
      healthzPort: 0,
      kubeReserved: { cpu: '200m' },
      registerWithTaints: [{ key: 'a', effect: 'NoSchedule' }],
    },
  );
});

t.test('a file as kubeadm writes it: zeros are left to the kubelet, the Go kubelet alone knows some', async (t) => {
  t.strictSame(
    read({
      authentication: { webhook: { cacheTTL: '0s', enabled: true } },
      address: '',
      cgroupDriver: '',
      cpuManagerReconcilePeriod: '0s',
      evictionPressureTransitionPeriod: '0s',
      featureGates: { SomeGate: true },
      fileCheckFrequency: '0s',
      logging: {},
      maxPods: 0,
      nodeStatusUpdateFrequency: '0s',
      port: 0,
      resolvConf: null,
    }),
    { 'authentication.webhook.enabled': true },
  );
});

t.test('every fault at once', async (t) => {
  const faults = faultsOf({
    apiVersion: 'kubelet.config.k8s.io/v1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: 'no', tokens: true },
    authorization: { mode: 'RBAC' },
    cgroupDriver: 'runc',
    clusterDNS: '10.96.0.10',
    constructor: 1,
    containerLogMaxSize: 'big',
    evictionHard: { 'memory.available': 'much' },
    evictionSoftGracePeriod: { 'memory.available': '5' },
    featureGates: {},
    maxPods: '110',
    nodeStatusUpdateFrequency: '-1s',
    port: 1.5,
    registerWithTaints: ['a'],
    serializeImagePulls: 'yes',
    staticPodsPath: '/m',
    systemReserved: { cpu: 1 },
  });
  t.strictSame(
    faults.map((fault) => fault.slice(0, fault.indexOf(':'))),
    [
      'got kubelet.config.k8s.io/v1 KubeletConfiguration, want kubelet.config.k8s.io/v1beta1 KubeletConfiguration'.slice(
        0,
        -1,
      ),
      'authentication.anonymous',
      'authentication.tokens',
      'authorization.mode',
      'cgroupDriver',
      'clusterDNS',
      'constructor',
      'containerLogMaxSize',
      'evictionHard',
      'evictionSoftGracePeriod',
      'maxPods',
      'nodeStatusUpdateFrequency',
      'port',
      'registerWithTaints',
      'serializeImagePulls',
      'staticPodsPath',
      'systemReserved',
    ],
  );
  t.ok(faults.includes('authorization.mode: got "RBAC", want AlwaysAllow or Webhook'));
  t.ok(faults.includes('staticPodsPath: no such field'));
  for (const parsed of [undefined, null, 'text', ['a']]) t.match(faultsOf(parsed)[0], 'want a KubeletConfiguration');
});
