import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { imageWaits } from '../../../../src/mirror/workloads/pod-waits.js';

type Policy = 'Always' | 'IfNotPresent' | 'Never' | undefined;

function pod(image: string, reason: string | undefined, policy: Policy, change: Partial<V1Pod> = {}): V1Pod {
  const state = reason === undefined ? { running: {} } : { waiting: { reason } };
  return {
    metadata: { namespace: 'default', name: 'web', uid: 'u1' },
    spec: { containers: [{ name: 'c', image, ...(policy && { imagePullPolicy: policy }) }] },
    status: {
      phase: 'Pending',
      containerStatuses: [{ name: 'c', state, ready: false, restartCount: 0, image, imageID: '' }],
    },
    ...change,
  };
}

const digest = `sha256:${'a'.repeat(64)}`;
const hub = 'docker.io/library/nginx';

const table: readonly (readonly [name: string, pod: V1Pod, waits: readonly (readonly [string, string])[]])[] = [
  ['a pull that failed', pod('nginx:1.25', 'ErrImagePull', 'IfNotPresent'), [[`${hub}:1.25`, 'fetch']]],
  ['one that is in back-off', pod('nginx:1.25', 'ImagePullBackOff', 'IfNotPresent'), [[`${hub}:1.25`, 'fetch']]],
  ['a registry that did not answer', pod('a.test/b:1', 'RegistryUnavailable', undefined), [['a.test/b:1', 'fetch']]],
  ['no tag, a policy', pod('nginx', 'ErrImagePull', 'IfNotPresent'), [[`${hub}:latest`, 'fetch']]],
  ['no tag, no policy: the default', pod('nginx', 'ErrImagePull', undefined), [[`${hub}:latest`, 'always']]],
  ['policy Always', pod('nginx:1.25', 'ImagePullBackOff', 'Always'), [[`${hub}:1.25`, 'always']]],
  ['policy Never', pod('nginx:1.25', 'ErrImageNeverPull', 'Never'), [[`${hub}:1.25`, 'never']]],
  ['a digest', pod(`a.test/b@${digest}`, 'ErrImagePull', undefined), [[`a.test/b@${digest}`, 'digest']]],
  ['a tag and a digest', pod(`a.test/b:1@${digest}`, 'ErrImagePull', undefined), [[`a.test/b:1@${digest}`, 'digest']]],
  [
    'Always wins over the digest',
    pod(`a.test/b@${digest}`, 'ErrImagePull', 'Always'),
    [[`a.test/b@${digest}`, 'always']],
  ],
  ['one that runs', pod('nginx:1.25', undefined, 'IfNotPresent'), []],
  ['one that is being made', pod('nginx:1.25', 'ContainerCreating', 'IfNotPresent'), []],
  ['one that crashes', pod('nginx:1.25', 'CrashLoopBackOff', 'IfNotPresent'), []],
  ['a name that is none', pod('Nginx:1:2', 'InvalidImageName', 'IfNotPresent'), []],
  ['a name that is none, whatever the reason', pod('//', 'ErrImagePull', 'IfNotPresent'), []],
  ['a pod that has failed', pod('a.test/b:1', 'ErrImagePull', undefined, { status: { phase: 'Failed' } }), []],
  [
    'a pod that is going',
    pod('a.test/b:1', 'ErrImagePull', undefined, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    [],
  ],
  ['a pod without a status', { spec: { containers: [{ name: 'c', image: 'a.test/b:1' }] } }, []],
];

for (const [name, given, waits] of table) {
  t.test(name, async (t) => {
    t.same(
      imageWaits(given).map(({ reference, remedy }) => [reference, remedy]),
      waits,
    );
  });
}

t.test('containers of every sort count, each with its own status', async (t) => {
  const status = (name: string, reason: string) => ({
    name,
    state: { waiting: { reason } },
    ready: false,
    restartCount: 0,
    image: '',
    imageID: '',
  });
  const waits = imageWaits({
    spec: {
      initContainers: [{ name: 'init', image: 'a.test/init:1' }],
      containers: [
        { name: 'one', image: 'a.test/one:1' },
        { name: 'two', image: 'a.test/two:1' },
      ],
      ephemeralContainers: [{ name: 'debug', image: 'a.test/debug:1' }],
    },
    status: {
      initContainerStatuses: [status('init', 'ImagePullBackOff')],
      containerStatuses: [status('two', 'ErrImagePull'), status('one', 'PodInitializing')],
      ephemeralContainerStatuses: [status('debug', 'ErrImagePull')],
    },
  });
  t.same(
    waits.map(({ container, image }) => [container, image]),
    [
      ['init', 'a.test/init:1'],
      ['two', 'a.test/two:1'],
      ['debug', 'a.test/debug:1'],
    ],
  );
});
