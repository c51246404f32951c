import { dump } from 'js-yaml';
import type { ClusterOptions } from '../../src/config/types.js';
import { imageSet } from '../../src/release/image-sets.js';
import { releaseFacts } from '../../src/release/releases.js';

/** The DNS image that kubeadm v1.20 asks for (`cmd/kubeadm/app/constants/constants.go`, `CoreDNSVersion`). */
const dnsImage = 'k8s.gcr.io/coredns:1.7.0';

export interface KubeadmInputs {
  readonly cluster: Pick<ClusterOptions, 'kubernetesVersion' | 'nodeName' | 'nodeAddress' | 'serviceCidr'>;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}

/**
 * kubeadm's configuration file: its defaults, but for what would ask the internet (the version), what a node without
 * CNI needs to become Ready, and the engine's cgroup driver. API kubeadm.k8s.io/v1beta2. Pure.
 */
export function kubeadmConfig({ cluster, cgroupDriver }: KubeadmInputs): string {
  const documents = [
    {
      apiVersion: 'kubeadm.k8s.io/v1beta2',
      kind: 'InitConfiguration',
      localAPIEndpoint: { advertiseAddress: cluster.nodeAddress },
      nodeRegistration: {
        name: cluster.nodeName,
        criSocket: '/var/run/dockershim.sock',
        // The engine's bridge, as in the clusters that it is compared with; kubeadm's default waits for a CNI add-on.
        kubeletExtraArgs: { 'network-plugin': '' },
      },
    },
    {
      apiVersion: 'kubeadm.k8s.io/v1beta2',
      kind: 'ClusterConfiguration',
      kubernetesVersion: cluster.kubernetesVersion,
      networking: { serviceSubnet: cluster.serviceCidr },
    },
    { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', cgroupDriver, failSwapOn: false },
  ];
  return documents.map((document) => dump(document)).join('---\n');
}

/** What kubeadm is called with. */
export function kubeadmArguments(configPath: string): readonly string[] {
  return ['init', '--config', configPath, '--ignore-preflight-errors=all', '--skip-phases=addon/coredns'];
}

/**
 * The references that kubeadm asks for, each with the release's image that serves it. The DNS image never runs; were it
 * absent, kubeadm would go to the internet for it.
 */
export function kubeadmImages(version: string): readonly { readonly reference: string; readonly source: string }[] {
  const facts = releaseFacts.find((candidate) => candidate.version === version);
  if (!facts) throw new Error(`kubeadm's images of ${version}: no such release`);
  const own = new Set(imageSet(facts, 'hyperkube').images.map(({ name }) => name));
  const components = imageSet(facts, 'component').images.filter(({ name }) => !own.has(name));
  return [...components.map(({ reference }) => reference), dnsImage].map((reference) => ({
    reference,
    source: `k8s.gcr.io/hyperkube:${version}`,
  }));
}

/**
 * The kubelet as kubeadm's package starts it (`10-kubeadm.conf`), waiting for kubeadm's files in place of systemd's
 * restarts, and faster than those.
 */
export function kubeletLoop(): readonly string[] {
  const script = [
    'until [ -s /var/lib/kubelet/config.yaml ] && [ -s /var/lib/kubelet/kubeadm-flags.env ] && [ -s /etc/kubernetes/kubelet.conf ]; do sleep 0.05; done',
    '. /var/lib/kubelet/kubeadm-flags.env',
    // Unquoted: several flags in one variable.
    'exec /hyperkube kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS',
  ];
  return ['sh', '-c', script.join('\n')];
}
