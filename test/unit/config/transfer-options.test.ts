import t from 'tap';
import { resolveSetOptions, resolveTransferOptions } from '../../../src/config/transfer-options.js';
import { sources } from './sources.js';

const { known } = sources();

t.test('with mirrors alone nothing of an install is looked at', async (t) => {
  const bare = sources({ host: { hostname: 'no valid name!' }, flags: { 'images.mirrors': ['m.example'] } });
  const never = async () => {
    throw new Error('not needed');
  };
  const { options, notes } = await resolveSetOptions(bare, never);
  t.match(options, { images: { mirrors: ['m.example'] }, cluster: { kubernetesVersion: 'v1.20.2', kubelet: 'auto' } });
  t.same(notes, []);
});

t.test('what more is given goes by the schema', async (t) => {
  const version = sources({ flags: { 'cluster.kubernetesVersion': '1.20' } });
  const { options } = await resolveSetOptions(version, async () => known);
  t.equal(options.cluster.kubernetesVersion, 'v1.20.15');
  for (const given of [
    sources({ flags: { 'cluster.kubernetesVersion': 'v9.9.9' } }),
    sources({ env: { HYPERUP_KUBERNETES_VERSION: 'nonsense' } }),
    sources({ files: [{ path: '/etc/hyperup/config.yaml', text: 'images: [' }] }),
  ]) {
    await t.rejects(
      resolveSetOptions(given, async () => known),
      { name: 'HyperupError' },
    );
  }
});

t.test('copies pass over faults of what only an install reads', async (t) => {
  const env = { HYPERUP_NODE_NAME: 'no valid name!', HYPERUP_MIRRORS: 'm.example' };
  const { options } = await resolveTransferOptions(sources({ env }));
  t.same(options.images.mirrors, ['m.example']);
});
