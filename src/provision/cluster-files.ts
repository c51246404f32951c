import { join } from 'node:path';
import { dump } from 'js-yaml';
import type { ClusterOptions } from '../config/types.js';
import type { StaticComponent } from '../controlplane/component-flags.js';
import type { ControlPlaneInputs } from '../controlplane/inputs.js';
import type { Manifests } from '../controlplane/manifests.js';
import { planStaticPods } from '../controlplane/static-pods.js';
import { buildKubeconfig, formatKubeconfig } from '../kube/kubeconfig.js';
import type { NodeAgentInputs } from '../nodeagent/inputs.js';
import { type KubeletMode, kubeletConfigNames, kubeletConfiguration } from '../nodeagent/kubelet-configuration.js';
import type { PkiBundle } from '../pki/ensure-pki.js';
import type { LeafName } from '../pki/types.js';
import { serverUrl } from './identities.js';

/** One file of a cluster, by its whole path. */
export interface ClusterFile {
  readonly path: string;
  readonly mode: number;
  readonly data: string;
}

const yaml = (value: unknown) => dump(value, { lineWidth: -1, noRefs: true });

/** Which identity is in which kubeconfig of the configuration folder. */
const kubeconfigs: Readonly<Record<string, LeafName>> = {
  'admin.conf': 'admin',
  'controller-manager.conf': 'controller-manager',
  'scheduler.conf': 'scheduler',
  'kubelet.conf': 'kubelet-client',
  'kube-proxy.conf': 'kube-proxy',
};

/**
 * The kubeconfigs of components. They speak to the API server over loopback: it is on this machine, and loopback
 * outlives a change of address. The administrator's names the node's address.
 */
export function kubeconfigFiles(cluster: ClusterOptions, pki: PkiBundle): readonly ClusterFile[] {
  return Object.entries(kubeconfigs).map(([file, leaf]) => {
    const identity = pki.identity(leaf);
    const config = buildKubeconfig({
      name: cluster.name,
      server: leaf === 'admin' ? serverUrl(cluster) : `https://127.0.0.1:${cluster.ports.api}`,
      caPem: pki.authorityPem('ca'),
      clientCertPem: identity.certPem,
      clientKeyPem: identity.keyPem,
    });
    return { path: join(cluster.paths.configDir, file), mode: 0o600, data: formatKubeconfig(config) };
  });
}

/** The kubelet's configuration file for a mode. */
export function kubeletConfigFile(inputs: NodeAgentInputs, mode: KubeletMode): ClusterFile {
  return {
    path: join(inputs.cluster.paths.configDir, kubeletConfigNames[mode]),
    mode: 0o644,
    data: yaml(kubeletConfiguration(inputs, mode)),
  };
}

/** The static pods' manifests, by component. */
export function staticPodFiles(
  manifests: Manifests,
  inputs: ControlPlaneInputs,
): readonly (ClusterFile & { readonly component: StaticComponent })[] {
  return planStaticPods(manifests.staticPods, inputs).map(({ component, pod }) => ({
    component,
    path: join(inputs.cluster.paths.configDir, 'manifests', `${component}.yaml`),
    mode: 0o600,
    data: yaml(pod),
  }));
}
