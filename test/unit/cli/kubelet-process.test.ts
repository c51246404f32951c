import { join } from 'node:path';
import t from 'tap';
import { kubeletHelp, readKubeletOptions } from '../../../src/cli/kubelet-process.js';
import { fakeCli } from './fake-cli.js';

const host = {
  hostname: 'box',
  homeDir: '/root',
  workingDir: '/',
  nodeAddress: '192.0.2.7',
  sudoUser: undefined,
};
const header = 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n';

t.test('options of a command line and its file', async (t) => {
  const dir = t.testdir({ 'kubelet.yaml': `${header}maxPods: 20\nport: 10251\n`, 'bad.yaml': ': [', 'empty.yaml': '' });
  const read = (argv: readonly string[], env = {}) => readKubeletOptions({ argv, env, host });
  const file = join(dir, 'kubelet.yaml');
  t.match(await read([`--config=${file}`, '--max-pods=30']), {
    maxPods: 30,
    server: { port: 10251 },
    identity: { nodeName: 'box', nodeIps: ['192.0.2.7'], hostRoot: '' },
    kubeletVersion: 'v1.20.2',
    configuration: { kind: 'KubeletConfiguration', maxPods: 20 },
  });
  t.match(await read([]), { maxPods: 110, configuration: {} }, 'without a file');
  const inContainer = await read([], { HYPERUP_IN_CONTAINER: 'true' });
  t.equal(inContainer.identity.hostRoot, `/proc/${process.ppid}/root`);
  t.equal((await read(['--host-root=/host'], { HYPERUP_IN_CONTAINER: 'true' })).identity.hostRoot, '/host');
  await t.rejects(read(['--config=/no/such.yaml']), { code: 'NotFound', message: /\/no\/such\.yaml/ });
  await t.rejects(read([`--config=${join(dir, 'bad.yaml')}`]), { code: 'InvalidConfig', message: /not YAML/ });
  await t.rejects(read([`--config=${join(dir, 'empty.yaml')}`]), { code: 'InvalidConfig' });
  await t.rejects(read(['--nope=1']), { code: 'Usage' });
});

t.test('help', async (t) => {
  const { exitCode, out, err } = await fakeCli(['kubelet', '--help']);
  t.equal(exitCode, 0);
  t.equal(err, '');
  t.equal(out, kubeletHelp());
  t.match(out, /^ {2}--kubeconfig=… +how to reach the API server/m);
  t.match(out, /^ {2}--register-node +create the Node object/m, 'a flag without a value');
  t.notMatch(out, 'fail-swap-on', 'what is passed over is not offered');
  for (const line of out.split('\n').slice(5)) t.notMatch(line, /…\S/, 'names and summaries are apart');
  t.match(await fakeCli(['help']), { out: /^ {2}kubelet /m });
});

t.test('a flag that nobody knows', async (t) => {
  const { exitCode, err } = await fakeCli(['kubelet', '--nope=1', '--port']);
  t.equal(exitCode, 2);
  t.match(err, '--nope: no such flag; --port: needs a value');
});
