import t from 'tap';
import type { V1ConfigMap, V1Secret, V1Service } from '../../../../src/kube/objects.js';
import type { V1Container, V1Pod } from '../../../../src/kube/pod-objects.js';
import { createEnvironmentMaker } from '../../../../src/kubelet/pod/environment.js';
import { serviceEnvironment } from '../../../../src/kubelet/pod/service-environment.js';

function service(namespace: string, name: string, clusterIP: string, ...ports: readonly [string, number][]): V1Service {
  return {
    metadata: { namespace, name },
    spec: { clusterIP, ports: ports.map(([portName, port]) => ({ name: portName, port, protocol: 'TCP' as const })) },
  };
}

const services = [
  service('default', 'kubernetes', '10.96.0.1', ['https', 443]),
  service('ns', 'my-db', '10.96.0.7', ['sql', 5432], ['web-ui', 80]),
  service('ns', 'headless', 'None', ['x', 1]),
  service('ns', 'external', '', ['x', 1]),
  service('other', 'foreign', '10.96.0.9', ['x', 1]),
];

t.test("Services' variables", async (t) => {
  const own = Object.fromEntries(serviceEnvironment(services, 'ns', true));
  t.match(own, {
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KUBERNETES_SERVICE_PORT: '443',
    KUBERNETES_SERVICE_PORT_HTTPS: '443',
    KUBERNETES_PORT: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
    KUBERNETES_PORT_443_TCP_PORT: '443',
    KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_WEB_UI: '80',
    MY_DB_PORT: 'tcp://10.96.0.7:5432',
    MY_DB_PORT_80_TCP: 'tcp://10.96.0.7:80',
  });
  t.equal(Object.keys(own).length, 8 + 13);
  t.same(
    [...serviceEnvironment(services, 'ns', false).keys()].filter((name) => !name.startsWith('KUBERNETES_')),
    [],
  );
  t.equal(
    serviceEnvironment([service('default', 'kubernetes', 'fd00::1', ['https', 443])], 'ns', false).get(
      'KUBERNETES_PORT',
    ),
    'tcp://[fd00::1]:443',
  );
  t.equal(
    serviceEnvironment([...services, service('ns', 'kubernetes', '10.96.0.99', ['x', 1])], 'ns', true).get(
      'KUBERNETES_SERVICE_HOST',
    ),
    '10.96.0.99',
    "one of the pod's own namespace wins",
  );
});

const configMaps: Record<string, V1ConfigMap> = {
  settings: { data: { COLOR: 'blue', '1bad': 'x', 'also bad': 'y', SIZE: '3' } },
};
const secrets: Record<string, V1Secret> = { keys: { data: { TOKEN: Buffer.from('s3cret').toString('base64') } } };

function setUp(given: { readonly services?: () => Promise<readonly V1Service[]> } = {}) {
  const told: string[] = [];
  const maker = createEnvironmentMaker({
    objects: {
      configMap: async (namespace, name) => (namespace === 'ns' ? configMaps[name] : undefined),
      secret: async (_, name) => {
        if (name === 'refused') throw new Error('secrets "refused" is forbidden');
        return secrets[name];
      },
    },
    services: { services: given.services ?? (async () => services) },
    allocatable: () => ({ cpu: '2' }),
    hostIps: ['192.0.2.1'],
    events: { pod: (_pod, type, reason, message) => told.push(`${type} ${reason} ${message}`) },
  });
  const make = async (container: Partial<V1Container>, spec: Partial<V1Pod['spec']> = {}, annotations = {}) => {
    const pod: V1Pod = {
      metadata: { name: 'web', namespace: 'ns', annotations },
      spec: { containers: [], enableServiceLinks: false, ...spec },
    };
    const all = await maker.makeEnvironment(pod, { name: 'c', ...container }, ['10.0.0.5']);
    return Object.fromEntries([...all].filter(([name]) => !name.startsWith('KUBERNETES_')));
  };
  return { make, told };
}

t.test('sources in order, later ones win, invalid names are told', async (t) => {
  const { make, told } = setUp();
  const env = await make({
    envFrom: [
      { configMapRef: { name: 'settings' } },
      { prefix: 'P_', secretRef: { name: 'keys' } },
      { configMapRef: { name: 'none', optional: true } },
    ],
    env: [
      { name: 'SIZE', value: '4' },
      { name: 'BOTH', value: '$(COLOR)-$(SIZE)-$(LATER)-$(KUBERNETES_SERVICE_PORT)' },
      { name: 'LATER', value: 'x' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
      { name: 'FROM_MAP', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } },
      { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'keys', key: 'TOKEN' } } },
      { name: 'NO_KEY', valueFrom: { configMapKeyRef: { name: 'settings', key: 'NONE', optional: true } } },
      { name: 'NO_SECRET', valueFrom: { secretKeyRef: { name: 'none', key: 'NONE', optional: true } } },
      { name: 'EMPTY', value: '' },
    ],
  });
  t.same(env, {
    COLOR: 'blue',
    SIZE: '4',
    P_TOKEN: 's3cret',
    BOTH: 'blue-4-$(LATER)-443',
    LATER: 'x',
    IP: '10.0.0.5',
    CPU: '2000',
    FROM_MAP: 'blue',
    FROM_SECRET: 's3cret',
    EMPTY: '',
  });
  t.same(told, [
    'Warning InvalidEnvironmentVariableNames Keys [1bad, also bad] from the EnvFrom configMap ns/settings were skipped since they are considered invalid environment variable names.',
  ]);
});

t.test('what is missing is told as upstream tells it', async (t) => {
  const { make } = setUp();
  const cases: [name: string, container: Partial<V1Container>, message: string][] = [
    ['map', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
    [
      'secret',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] },
      'secret "none" not found',
    ],
    [
      'key',
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k' } } }] },
      "couldn't find key k in ConfigMap ns/settings",
    ],
    ['refused', { envFrom: [{ secretRef: { name: 'refused', optional: true } }] }, 'secrets "refused" is forbidden'],
    [
      'field',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] },
      'unsupported fieldPath: spec.x',
    ],
  ];
  for (const [name, container, message] of cases) {
    await t.rejects(make(container), { reason: 'CreateContainerConfigError', message }, name);
  }
});

t.test("a static pod doesn't wait for the Services, others do", async (t) => {
  let list: (known: readonly V1Service[]) => void = () => {};
  const listed = new Promise<readonly V1Service[]>((resolve) => {
    list = resolve;
  });
  const { make } = setUp({ services: () => listed });
  t.same(await make({}, {}, { 'kubernetes.io/config.source': 'file' }), {});
  const other = make({ env: [{ name: 'A', value: '$(KUBERNETES_SERVICE_HOST)' }] });
  list(services);
  t.same(await other, { A: '10.96.0.1' });
});
