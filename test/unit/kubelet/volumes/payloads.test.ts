import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { nestedMountPoints } from '../../../../src/kubelet/volumes/nested-mount-points.js';
import {
  configMapFiles,
  downwardFiles,
  type Files,
  fsUserOf,
  secretFiles,
} from '../../../../src/kubelet/volumes/payloads.js';

const plain = { items: undefined, defaultMode: 0o644, optional: false };

function shown(files: Files): Record<string, [string, number]> {
  return Object.fromEntries([...files].map(([path, { data, mode }]) => [path, [Buffer.from(data).toString(), mode]]));
}

t.test('config maps: text, binary, items with modes', async (test) => {
  const map = { data: { a: 'text' }, binaryData: { b: Buffer.from('bytes').toString('base64') } };
  test.same(shown(configMapFiles(map, plain)), { a: ['text', 0o644], b: ['bytes', 0o644] });
  const items = [
    { key: 'a', path: 'deep/a' },
    { key: 'b', path: 'b', mode: 0o400 },
  ];
  test.same(shown(configMapFiles(map, { ...plain, items })), { 'deep/a': ['text', 0o644], b: ['bytes', 0o400] });
});

t.test('a key that is not there is an error, or nothing where optional', async (test) => {
  const items = [{ key: 'nope', path: 'x' }];
  test.throws(() => configMapFiles({}, { ...plain, items }), {
    message: 'configmap references non-existent config key: nope',
  });
  test.throws(() => secretFiles({}, { ...plain, items }), { message: 'references non-existent secret key: nope' });
  test.same(shown(secretFiles({}, { ...plain, items, optional: true })), {});
  test.same(
    shown(configMapFiles({ data: {} }, { ...plain, items: [{ key: 'constructor', path: 'x' }], optional: true })),
    {},
  );
});

t.test('downward API: lines without a last newline, cpu rounded up', async (test) => {
  const pod: V1Pod = {
    metadata: { name: 'p', labels: { b: '2', a: 'say "hi"\n' } },
    spec: { containers: [{ name: 'c', resources: { limits: { cpu: '1250m' } } }] },
  };
  const items = [
    { path: './labels', fieldRef: { fieldPath: 'metadata.labels' } },
    { path: 'name', fieldRef: { fieldPath: 'metadata.name' }, mode: 0o400 },
    { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } },
    { path: 'memory', resourceFieldRef: { containerName: 'c', resource: 'limits.memory', divisor: '1Mi' } },
  ];
  const facts = { hostIps: [], podIps: [], allocatable: { memory: '3Mi' } };
  test.same(shown(downwardFiles(pod, items, 0o644, facts)), {
    labels: ['a="say \\"hi\\"\\n"\nb="2"', 0o644],
    name: ['p', 0o400],
    cpu: ['2', 0o644],
    memory: ['3', 0o644],
  });
});

t.test('the one user of all containers', async (test) => {
  const user = (runAsUser: number | undefined) => ({
    name: 'c',
    ...(runAsUser === undefined ? {} : { securityContext: { runAsUser } }),
  });
  test.equal(fsUserOf({ spec: { containers: [user(7), user(7)] } }), 7);
  test.equal(fsUserOf({ spec: { containers: [user(7), user(8)] } }), undefined);
  test.equal(fsUserOf({ spec: { containers: [user(7), user(undefined)] } }), undefined);
  test.equal(fsUserOf({ spec: { containers: [user(undefined)], securityContext: { runAsUser: 9 } } }), 9);
});

t.test('mount points nested in a volume, not those nested twice', async (test) => {
  const pod: V1Pod = {
    spec: {
      containers: [
        {
          name: 'c',
          volumeMounts: [
            { name: 'outer', mountPath: '/dir/' },
            { name: 'b', mountPath: '/dir/nested/other' },
            { name: 'a', mountPath: '/dir/nested' },
            { name: 'a', mountPath: '/directory' },
          ],
        },
      ],
    },
  };
  test.same(nestedMountPoints(pod, 'outer'), ['nested']);
  test.same(nestedMountPoints(pod, 'a'), ['other']);
});
