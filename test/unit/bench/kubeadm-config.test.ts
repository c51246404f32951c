import { loadAll } from 'js-yaml';
import t from 'tap';
import { kubeadmArguments, kubeadmConfig, kubeadmImages, kubeletLoop } from '../../bench/kubeadm-config.js';

const cluster = {
  kubernetesVersion: 'v1.20.2',
  nodeName: 'node1',
  nodeAddress: '192.0.2.7',
  serviceCidr: '10.96.0.0/12',
};

t.test('the configuration file', async (t) => {
  const [init, clusterPart, kubelet] = loadAll(kubeadmConfig({ cluster, cgroupDriver: 'cgroupfs' }));
  t.match(init, {
    apiVersion: 'kubeadm.k8s.io/v1beta2',
    kind: 'InitConfiguration',
    localAPIEndpoint: { advertiseAddress: '192.0.2.7' },
    nodeRegistration: { name: 'node1', kubeletExtraArgs: { 'network-plugin': '' } },
  });
  t.match(
    clusterPart,
    { kind: 'ClusterConfiguration', kubernetesVersion: 'v1.20.2', networking: { serviceSubnet: '10.96.0.0/12' } },
    'a version that is named is not asked for on the internet',
  );
  t.match(kubelet, { kind: 'KubeletConfiguration', cgroupDriver: 'cgroupfs', failSwapOn: false });
  t.notMatch(kubelet, { nodeStatusUpdateFrequency: /./ }, "the kubelet's pace is kubeadm's own");
});

t.test('the images', async (t) => {
  const images = kubeadmImages('v1.20.2');
  t.same(
    images.map(({ reference }) => reference),
    [
      'k8s.gcr.io/kube-apiserver:v1.20.2',
      'k8s.gcr.io/kube-controller-manager:v1.20.2',
      'k8s.gcr.io/kube-scheduler:v1.20.2',
      'k8s.gcr.io/kube-proxy:v1.20.2',
      'k8s.gcr.io/coredns:1.7.0',
    ],
    "those that are not the release's own already",
  );
  t.ok(images.every(({ source }) => source === 'k8s.gcr.io/hyperkube:v1.20.2'));
  t.throws(() => kubeadmImages('v0.1.0'), /no such release/);
});

t.test('the calls', async (t) => {
  const args = kubeadmArguments('/x/kubeadm.yaml');
  t.same(args.slice(0, 3), ['init', '--config', '/x/kubeadm.yaml']);
  t.ok(args.includes('--skip-phases=addon/coredns'));
  const [shell, flag, script = ''] = kubeletLoop();
  t.same([shell, flag], ['sh', '-c']);
  t.match(script, /until [^\n]*config\.yaml[^\n]*kubeadm-flags\.env[^\n]*kubelet\.conf/, 'it waits for all it reads');
  t.match(script, /exec \/hyperkube kubelet [^\n]*\$KUBELET_KUBEADM_ARGS$/);
});
