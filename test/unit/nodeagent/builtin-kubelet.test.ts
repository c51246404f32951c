import t from 'tap';
import { readConfiguration } from '../../../src/kubelet/config/kubelet-configuration.js';
import { parseKubeletFlags } from '../../../src/kubelet/config/kubelet-flags.js';
import { builtinKubeletContainer, builtinKubeletFlags } from '../../../src/nodeagent/builtin-kubelet.js';
import { kubeletConfiguration } from '../../../src/nodeagent/kubelet-configuration.js';
import { makeNodeAgentInputs } from '../../builders/inputs.js';
import { matchGolden } from '../../fixtures/golden.js';

const builtin = { image: 'hyperup/kubelet:0.1.0', program: '/opt/hyperup/dist/cli/kubelet.js' };

t.test('its container', async (t) => {
  matchGolden(
    t,
    'v1.20.2/builtin-kubelet-container.yaml',
    builtinKubeletContainer(makeNodeAgentInputs('v1.20.2'), builtin),
  );
});

for (const version of ['v1.17.17', 'v1.20.2', 'v1.35.0']) {
  t.test(`it takes what it is given for ${version}`, async (t) => {
    const given = makeNodeAgentInputs('v1.20.2');
    const inputs = { ...given, release: { ...given.release, version } };
    const flags = parseKubeletFlags(builtinKubeletFlags(inputs));
    t.match(flags, { 'hostname-override': 'node-1', 'kubelet-version': version, instance: given.cluster.name });
    for (const mode of ['member', 'standalone'] as const) {
      t.doesNotThrow(() => readConfiguration(kubeletConfiguration(inputs, mode), mode), mode);
    }
  });
}

t.test('mounts follow the engine and the folders', async (t) => {
  const sources = (over: Parameters<typeof makeNodeAgentInputs>[1]) =>
    (builtinKubeletContainer(makeNodeAgentInputs('v1.20.2', over), builtin).mounts ?? []).map(({ source }) => source);
  t.ok(sources({}).includes('/var/run'));
  t.ok(sources({ engineEndpoint: 'unix:///opt/engine/docker.sock' }).includes('/opt/engine'));
  const remote = sources({ engineEndpoint: 'tcp://127.0.0.1:2375' });
  t.notOk(
    remote.some((source) => source.includes('run')),
    'no socket, no folder of it',
  );
  const { cluster } = makeNodeAgentInputs('v1.20.2');
  t.notOk(sources({}).includes('/var/log/pods'), '/var/log has them');
  const elsewhere = { ...cluster, paths: { ...cluster.paths, podLogDir: '/data/pod-logs' } };
  t.ok(sources({ cluster: elsewhere }).includes('/data/pod-logs'));
});

t.test('a machine that needs a route to Service addresses has it again when the kubelet starts', async (t) => {
  const serviceRoute = { destination: '10.96.0.0/12', link: 'docker0', source: '172.17.0.1' };
  const flags = builtinKubeletFlags(makeNodeAgentInputs('v1.20.2', { serviceRoute }));
  t.equal(parseKubeletFlags(flags)['service-route'], '10.96.0.0/12,docker0,172.17.0.1');
});
