import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { parseStaticPod } from '../../../../src/kubelet/sources/static-pod-manifest.js';

const parse = (text: string, path = '/etc/kubernetes/manifests/a.yaml') =>
  parseStaticPod(text, path, 'Node-1', Date.UTC(2026, 0, 1));
const base: V1Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a' },
  spec: { containers: [{ name: 'app', image: 'app' }] },
};
const withSpec = (spec: object) => parse(JSON.stringify({ ...base, spec: { ...base.spec, ...spec } }));
const withContainer = (container: object) =>
  withSpec({ containers: [{ name: 'app', image: 'app', ...container }] }).spec?.containers[0];

t.test('a whole pod', async (t) => {
  const pod = parse(JSON.stringify(base));
  const uid = pod.metadata?.uid ?? '';
  t.match(uid, /^[0-9a-f]{32}$/);
  t.strictSame(pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a-node-1',
      namespace: 'default',
      uid,
      annotations: {
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.hash': uid,
        'kubernetes.io/config.seen': '2026-01-01T00:00:00Z',
      },
    },
    spec: {
      containers: [
        {
          name: 'app',
          image: 'app',
          imagePullPolicy: 'Always',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
      nodeName: 'Node-1',
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    },
    status: { phase: 'Pending' },
  });
  t.equal(parse(JSON.stringify(base, null, 2)).metadata?.uid, uid, 'white space makes no other pod');
  t.not(parse(JSON.stringify(base), '/other').metadata?.uid, uid, 'another file does');
});

t.test('defaults', async (t) => {
  const policies: [string, string][] = [
    ['app', 'Always'],
    ['app:latest', 'Always'],
    ['app:1', 'IfNotPresent'],
    ['host:5000/app', 'Always'],
    ['host:5000/app:2', 'IfNotPresent'],
    ['app@sha256:abc', 'IfNotPresent'],
  ];
  for (const [image, policy] of policies) t.equal(withContainer({ image })?.imagePullPolicy, policy, image);
  t.strictSame(withContainer({ livenessProbe: { httpGet: { port: 80 } } })?.livenessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  const ports = [{ containerPort: 80 }];
  t.strictSame(withContainer({ ports })?.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  const onHost = withSpec({ hostNetwork: true, containers: [{ name: 'app', image: 'app', ports }] });
  t.strictSame(onHost.spec?.containers[0]?.ports, [{ containerPort: 80, protocol: 'TCP', hostPort: 80 }]);
  t.strictSame(
    withContainer({ resources: { limits: { cpu: 1, memory: '1Mi' }, requests: { cpu: '100m' } } })?.resources,
    {
      limits: { cpu: '1', memory: '1Mi' },
      requests: { cpu: '100m', memory: '1Mi' },
    },
  );
  t.strictSame(withSpec({ volumes: [{ name: 'v', emptyDir: { sizeLimit: 1000 } }] }).spec?.volumes, [
    { name: 'v', emptyDir: { sizeLimit: '1000' } },
  ]);
  t.strictSame(withSpec({ volumes: [{ name: 'v' }, { name: 's', secret: { secretName: 'x' } }] }).spec?.volumes, [
    { name: 'v', emptyDir: {} },
    { name: 's', secret: { secretName: 'x', defaultMode: 0o644 } },
  ]);
  const tolerations = [{ operator: 'Exists' }];
  t.strictSame(withSpec({ tolerations }).spec?.tolerations, tolerations, 'all is tolerated already');
  t.equal(
    parse(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {d: 2026-01-01}}\nspec: {containers: [{name: a, image: a}]}',
    ).metadata?.annotations?.['d'],
    '2026-01-01',
  );
});

const specOf = (spec: object) => ({ ...base, spec: { ...base.spec, ...spec } });
const containerOf = (container: object) => specOf({ containers: [{ name: 'a', image: 'a', ...container }] });
const volumeOf = (volume: object) => specOf({ volumes: [{ name: 'v', ...volume }] });

const refused: [string, object | string, RegExp][] = [
  ['a text for tolerations', specOf({ tolerations: 'x' }), /^spec\.tolerations: want a list$/],
  ['a number for one', specOf({ tolerations: [7] }), /^spec\.tolerations\[0\]: want an object$/],
  ['a list for a selector', specOf({ nodeSelector: ['a'] }), /^spec\.nodeSelector: want texts by name$/],
  ['a word for a truth', specOf({ hostNetwork: 'yes' }), /^spec\.hostNetwork: want true or false$/],
  ['a word for a user', containerOf({ securityContext: { runAsUser: 'root' } }), /runAsUser: want a whole number$/],
  [
    'a quantity of nothing',
    containerOf({ resources: { limits: { cpu: 'much' } } }),
    /resources\.limits: want quantities/,
  ],
  ['a quantity below zero', containerOf({ resources: { limits: { cpu: -1 } } }), /resources\.limits: want quantities/],
  [
    'a probe of a text',
    containerOf({ livenessProbe: { exec: { command: 'x' } } }),
    /livenessProbe\.exec\.command: want/,
  ],
  ['a probe of no port', containerOf({ livenessProbe: { tcpSocket: { port: {} } } }), /tcpSocket\.port: want a number/],
  [
    'a key that leads up',
    volumeOf({ configMap: { name: 'c', items: [{ key: 'k', path: '../k' }] } }),
    /items\[0\]\.path: want/,
  ],
  ['a size of nothing', volumeOf({ emptyDir: { sizeLimit: 'lots' } }), /emptyDir\.sizeLimit: want a quantity/],
  ['no object', '- a', /no object/],
  ['not YAML', '{', /neither YAML nor JSON/],
  ['two documents', 'a: 1\n---\nb: 2', /neither YAML nor JSON/],
  ['another kind', { ...base, kind: 'Deployment' }, /^kind: want Pod$/],
  ['another version', { ...base, apiVersion: 'v2' }, /^apiVersion: want v1$/],
  ['no name', { ...base, metadata: {} }, /metadata\.name/],
  ['a name that leaves the folder', { ...base, metadata: { name: '../a' } }, /metadata\.name/],
  ['a namespace that does', { ...base, metadata: { name: 'a', namespace: '..' } }, /metadata\.namespace/],
  ['a UID that does', { ...base, metadata: { name: 'a', uid: '../../x' } }, /metadata\.uid/],
  ['no containers', { ...base, spec: { containers: [] } }, /spec\.containers/],
  ['no spec', { ...base, spec: undefined }, /spec\.containers/],
  [
    'a container name that leaves',
    { ...base, spec: { containers: [{ name: '..', image: 'a' }] } },
    /containers\[0\]\.name/,
  ],
  ['no image', { ...base, spec: { containers: [{ name: 'a' }] } }, /containers\[0\]\.image/],
  [
    'a number as a variable',
    { ...base, spec: { containers: [{ name: 'a', image: 'a', env: [{ name: 'A', value: 1 }] }] } },
    /env\[0\]\.value/,
  ],
  [
    'a mount of nothing',
    { ...base, spec: { containers: [{ name: 'a', image: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] } },
    /volumeMounts\[0\]\.name/,
  ],
  [
    'a host path upwards',
    { ...base, spec: { ...base.spec, volumes: [{ name: 'v', hostPath: { path: '/a/../../etc' } }] } },
    /hostPath\.path/,
  ],
  ['a wrong restart policy', { ...base, spec: { ...base.spec, restartPolicy: 'Sometimes' } }, /restartPolicy/],
  ["a name too long with the node's", { ...base, metadata: { name: 'a'.repeat(250) } }, /metadata\.name: with/],
  [
    'aliases without end',
    `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]`,
    /more than 50000 values/,
  ],
];
for (const [name, manifest, message] of refused) {
  t.test(`refused: ${name}`, async (t) => {
    const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    t.throws(() => parse(text), { code: 'InvalidConfig', message });
  });
}
