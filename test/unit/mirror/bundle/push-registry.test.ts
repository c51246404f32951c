import t from 'tap';
import {
  mirrorOf,
  parseRegistryTarget,
  pushToRegistry,
  targetReference,
} from '../../../../src/mirror/bundle/push-registry.js';
import { formatReference } from '../../../../src/registry/reference.js';
import type { RegistryClient } from '../../../../src/registry/types.js';
import { builtContents, builtImage } from '../../../builders/bundle.js';

const targets: readonly (readonly [text: string, mirror: string, etcd: string])[] = [
  ['docker://registry.lan:5000', 'registry.lan:5000', 'registry.lan:5000/etcd:3.4.13-0'],
  ['docker://registry.lan:5000/', 'registry.lan:5000', 'registry.lan:5000/etcd:3.4.13-0'],
  ['docker://registry.lan/team/k8s', 'registry.lan/team/k8s', 'registry.lan/team/k8s/etcd:3.4.13-0'],
  ['http://localhost:5000/k8s', 'http://localhost:5000/k8s', 'localhost:5000/k8s/etcd:3.4.13-0'],
];

for (const [text, mirror, etcd] of targets) {
  t.test(text, async (t) => {
    const target = parseRegistryTarget(text);
    t.equal(mirrorOf(target), mirror);
    t.equal(formatReference(targetReference(target, 'k8s.gcr.io/etcd:3.4.13-0')), etcd);
  });
}

for (const text of [
  'engine2',
  'registry.lan',
  'docker://',
  'docker://lan/k8s',
  'docker://registry.lan/K8s',
  'oci:dir',
  'docker://a.b/../c',
]) {
  t.test(`refuses ${text}`, async (t) => t.throws(() => parseRegistryTarget(text), { code: 'Usage' }));
}

/** A registry that has nothing and remembers what it is told, in order. */
function emptyRegistry(failAt?: string) {
  const told: string[] = [];
  const client: Partial<RegistryClient> = {
    host: 'registry.lan',
    headManifest: async () => undefined,
    headBlob: async () => undefined,
    startUpload: async (path, mount) => {
      told.push(mount ? `mount ${path} from ${mount.from}` : `upload ${path}`);
      if (mount) return 'mounted';
      return {
        location: '',
        offset: 0,
        append: async (body) => {
          for await (const piece of body) void piece;
        },
        finish: async (digest) => {
          if (digest === failAt) throw new Error('the registry is full');
        },
        cancel: async () => void told.push('cancel'),
      };
    },
    putManifest: async (path, tag) => void told.push(`name ${path}:${tag}`),
  };
  return { told, client: client as RegistryClient };
}

const shared = Buffer.alloc(100, 's');
const one = builtImage('k8s.gcr.io/one:1', [shared]);
const two = builtImage('quay.io/two:1', [shared, Buffer.alloc(50, 't')]);

function contentsOf(images: readonly ReturnType<typeof builtImage>[]) {
  const { manifest, openBlob } = builtContents(images);
  const documents = new Map(images.flatMap(({ blobs }) => [...blobs]));
  return { name: 'b', manifest, openBlob, hasBlob: () => true, document: (digest: string) => documents.get(digest) };
}

const target = parseRegistryTarget('docker://registry.lan/k8s');

t.test('names come last, and what another repository has is taken over', async (t) => {
  const bundle = contentsOf([one, two]);
  const { told, client } = emptyRegistry();
  await pushToRegistry({ bundle, images: bundle.manifest.images, target, client });
  t.same(told, [
    'upload k8s/one',
    'upload k8s/one',
    'upload k8s/two',
    'mount k8s/two from k8s/one',
    'upload k8s/two',
    'name k8s/one:1',
    'name k8s/two:1',
  ]);
});

t.test('a failure leaves nothing with a name', async (t) => {
  const bundle = contentsOf([one, two]);
  const { told, client } = emptyRegistry(two.image.layers[1]?.digest);
  await t.rejects(pushToRegistry({ bundle, images: bundle.manifest.images, target, client }), /full/);
  t.equal(told.at(-1), 'cancel');
  t.notOk(told.some((line) => line.startsWith('name')));
});

t.test('two images that would get one name are refused before anything moves', async (t) => {
  const other = builtImage('quay.io/one:1', [Buffer.alloc(9, 'o')]);
  const bundle = contentsOf([one, other]);
  const { told, client } = emptyRegistry();
  await t.rejects(pushToRegistry({ bundle, images: bundle.manifest.images, target, client }), { code: 'Conflict' });
  t.same(told, []);
});
