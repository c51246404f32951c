import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { extractFieldPath, extractResourceValue, formatMap, goQuote } from '../../../../src/kubelet/pod/field-path.js';

const pod: V1Pod = {
  metadata: {
    name: 'web',
    namespace: 'ns',
    uid: 'u-1',
    labels: { b: '2', a: '1', 'example.com/x': 'y' },
    annotations: { note: 'line "one"\nline two' },
  },
  spec: {
    nodeName: 'node-1',
    serviceAccountName: 'robot',
    containers: [
      { name: 'app', resources: { requests: { cpu: '250m' }, limits: { memory: '64Mi', 'hugepages-2Mi': '4Mi' } } },
      { name: 'free' },
    ],
    initContainers: [{ name: 'setup', resources: { requests: { memory: '32Mi' } } }],
  },
};

t.test('fields', async (t) => {
  const cases: [path: string, want: string][] = [
    ['metadata.name', 'web'],
    ['metadata.namespace', 'ns'],
    ['metadata.uid', 'u-1'],
    ['metadata.labels', 'a="1"\nb="2"\nexample.com/x="y"'],
    ['metadata.annotations', 'note="line \\"one\\"\\nline two"'],
    ["metadata.labels['example.com/x']", 'y'],
    ["metadata.labels['none']", ''],
    ["metadata.labels['constructor']", ''],
    ["metadata.annotations['note']", 'line "one"\nline two'],
    ['spec.nodeName', 'node-1'],
    ['spec.serviceAccountName', 'robot'],
    ['status.hostIP', '192.0.2.1'],
    ['status.hostIPs', '192.0.2.1,fd00::1'],
    ['status.podIP', '10.0.0.5'],
    ['status.podIPs', '10.0.0.5,fd00::5'],
  ];
  for (const [path, want] of cases) {
    t.equal(extractFieldPath(pod, path, ['192.0.2.1', 'fd00::1'], ['10.0.0.5', 'fd00::5']), want, path);
  }
  for (const path of ['spec.containers', "spec.nodeName['x']", 'metadata', 'status.phase']) {
    t.throws(() => extractFieldPath(pod, path, [], []), { code: 'InvalidConfig' }, path);
  }
});

t.test('quoted as Go does', async (t) => {
  const cases: [text: string, want: string][] = [
    ['', '""'],
    ['a\tb\\c', '"a\\tb\\\\c"'],
    ['\0\x7f', '"\\x00\\x7f"'],
    ['é ☃ 😀', '"é ☃ 😀"'],
    ['\u200b\u00a0', '"\\u200b\\u00a0"'],
    ['\u{e0001}', '"\\U000e0001"'],
  ];
  for (const [text, want] of cases) t.equal(goQuote(text), want, want);
  t.equal(formatMap({}), '');
});

t.test('resources', async (t) => {
  const allocatable = { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi', 'hugepages-2Mi': '8Mi' };
  const [app, free] = pod.spec?.containers ?? [];
  const cases: [resource: string, divisor: string | undefined, container: typeof app, want: string][] = [
    ['requests.cpu', '1m', app, '250'],
    ['requests.cpu', undefined, app, '1'],
    ['requests.memory', '1Mi', app, '64'],
    ['limits.memory', '1Mi', app, '64'],
    ['limits.cpu', undefined, app, '2'],
    ['limits.hugepages-2Mi', undefined, app, '4194304'],
    ['limits.memory', '1Mi', free, '1024'],
    ['limits.ephemeral-storage', '1Gi', free, '10'],
    ['limits.hugepages-2Mi', undefined, free, '0'],
    ['requests.memory', undefined, free, '0'],
  ];
  for (const [resource, divisor, container, want] of cases) {
    const selector = { resource, ...(divisor === undefined ? {} : { divisor }) };
    t.equal(extractResourceValue(pod, selector, container, allocatable), want, `${container?.name} ${resource}`);
  }
  const named = { containerName: 'setup', resource: 'requests.memory' };
  t.equal(extractResourceValue(pod, named, app, allocatable), '33554432', 'the name wins');
  t.throws(() => extractResourceValue(pod, { containerName: 'x', resource: 'limits.cpu' }, app, {}), {
    code: 'NotFound',
  });
  t.throws(() => extractResourceValue(pod, { resource: 'limits.pods' }, app, {}), { code: 'InvalidConfig' });
});
