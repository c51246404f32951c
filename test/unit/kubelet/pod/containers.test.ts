import t from 'tap';
import { containerHash, containersOf, findContainer } from '../../../../src/kubelet/pod/containers.js';

const pod = {
  spec: {
    initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' as const }],
    containers: [{ name: 'b' }, { name: 'a' }],
    ephemeralContainers: [{ name: 'e' }],
  },
};

t.test('all containers with their kinds, in order', async (t) => {
  t.same(
    containersOf(pod).map(({ container, kind }) => `${container.name} ${kind}`),
    ['i init', 's sidecar', 'b app', 'a app', 'e ephemeral'],
  );
  t.equal(findContainer(pod, 'e')?.kind, 'ephemeral');
  t.equal(findContainer(pod, 'x'), undefined);
});

t.test('the hash', async (t) => {
  const hash = containerHash({ name: 'c', image: 'i', env: [{ name: 'A', value: '1' }] });
  t.match(hash, /^[0-9a-f]{16}$/);
  t.equal(containerHash({ env: [{ value: '1', name: 'A' }], image: 'i', name: 'c' }), hash, 'order is nothing');
  const resized = { name: 'c', image: 'i', env: [{ name: 'A', value: '1' }], resources: { limits: { cpu: '1' } } };
  t.equal(containerHash(resized), hash, 'a resize is nothing');
  t.not(containerHash({ name: 'c', image: 'j', env: [{ name: 'A', value: '1' }] }), hash, 'an image is');
  t.not(containerHash({ name: 'c', image: 'i', env: [{ name: 'A', value: '2' }] }), hash, 'a variable is');
});
