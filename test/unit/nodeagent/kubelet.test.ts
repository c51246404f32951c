import t from 'tap';
import { kubeletConfiguration, kubeletFlags } from '../../../src/nodeagent/kubelet-configuration.js';
import { kubeletContainer } from '../../../src/nodeagent/kubelet-container.js';
import { makeNodeAgentInputs } from '../../builders/inputs.js';
import { matchGolden } from '../../fixtures/golden.js';

for (const version of ['v1.17.17', 'v1.18.20', 'v1.19.16', 'v1.20.2']) {
  t.test(`kubelet of ${version}`, async (t) => {
    const inputs = makeNodeAgentInputs(version);
    matchGolden(t, `${version}/kubelet-configuration.yaml`, kubeletConfiguration(inputs));
    matchGolden(t, `${version}/kubelet-container.yaml`, kubeletContainer(inputs));
  });
}

t.test('flags that a version does not know are not passed', async (t) => {
  const names = (version: string) =>
    kubeletFlags(
      { ...makeNodeAgentInputs('v1.20.2'), release: { ...makeNodeAgentInputs('v1.20.2').release, version } },
      'p',
    ).map((flag) => flag.slice(2, flag.indexOf('=')));
  t.ok(names('v1.19.16').includes('redirect-container-streaming'));
  t.notOk(names('v1.20.2').includes('redirect-container-streaming'), 'removed with 1.20');
  t.ok(names('v1.20.2').includes('docker-endpoint'));
  t.notOk(names('v1.24.0').includes('docker-endpoint'), 'went with dockershim');
  t.ok(names('v1.34.0').includes('pod-infra-container-image'));
  t.notOk(names('v1.35.0').includes('pod-infra-container-image'), 'ends the process from 1.35');
});

t.test('a standalone kubelet knows no API server and serves none', async (t) => {
  const inputs = makeNodeAgentInputs('v1.20.2');
  const spec = kubeletContainer(inputs, 'standalone');
  t.notOk(spec.command.some((arg) => arg.startsWith('--kubeconfig')));
  t.ok(spec.command.includes('--enable-server=false'));
  t.equal(spec.restart, 'no');
  t.match(kubeletConfiguration(inputs, 'standalone'), { authentication: { webhook: { enabled: false } } });
  t.equal(kubeletContainer(inputs).restart, 'always');
});

t.test('the container sees what the host has', async (t) => {
  const sources = (over: Parameters<typeof makeNodeAgentInputs>[1]) =>
    (kubeletContainer(makeNodeAgentInputs('v1.20.2', over)).mounts ?? []).map(({ source }) => source);
  t.ok(sources({}).includes('/lib/modules'));
  t.notOk(sources({ existingHostPaths: new Set() }).includes('/lib/modules'));
  t.ok(sources({ engineRootDir: '/data/docker' }).includes('/data/docker'));
  t.ok(sources({ resolvConf: '/opt/resolv.conf' }).includes('/opt/resolv.conf'));
  t.notOk(sources({ resolvConf: '/run/systemd/resolve/resolv.conf' }).includes('/run/systemd/resolve/resolv.conf'));
  const shared = kubeletContainer(makeNodeAgentInputs('v1.20.2')).mounts?.find(
    ({ target }) => target === '/var/lib/kubelet',
  );
  t.equal(shared?.propagation, 'rshared');
});

t.test('cgroups as the engine has them', async (t) => {
  const config = (version: string, over: Parameters<typeof makeNodeAgentInputs>[1]) => {
    const inputs = makeNodeAgentInputs('v1.20.2', over);
    return kubeletConfiguration({ ...inputs, release: { ...inputs.release, version } });
  };
  t.equal(config('v1.20.2', { cgroupDriver: 'systemd' })['cgroupDriver'], 'systemd');
  t.equal(config('v1.35.0', { cgroupVersion: 1 })['failCgroupV1'], false);
  t.equal(config('v1.35.0', { cgroupVersion: 2 })['failCgroupV1'], undefined);
  t.equal(config('v1.20.2', { cgroupVersion: 1 })['failCgroupV1'], undefined);
});

t.test('a machine that needs a route to Service addresses has it again when the container starts', async (t) => {
  const serviceRoute = { destination: '10.96.0.0/12', link: 'docker0', source: '172.17.0.1' };
  const plain = kubeletContainer(makeNodeAgentInputs('v1.20.2')).command;
  const { command } = kubeletContainer(makeNodeAgentInputs('v1.20.2', { serviceRoute }));
  t.same(command.slice(-plain.length), plain, 'the kubelet is what runs in the end');
  t.same(command.slice(0, -plain.length), [
    'sh',
    '-c',
    /^nsenter --root=\/rootfs -- ip -4 route add "\$1" dev "\$2" src "\$3" .*exec "\$@"$/.exec(command[2] ?? '')?.[0],
    'kubelet',
    '10.96.0.0/12',
    'docker0',
    '172.17.0.1',
  ]);
  const standalone = kubeletContainer(makeNodeAgentInputs('v1.20.2', { serviceRoute }), 'standalone').command;
  t.notOk(standalone.includes('sh'), 'one that never comes back by itself leaves it');
});
