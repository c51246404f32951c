import { join } from 'node:path';
import { minorOf } from '../release/minor-of.js';
import type { NodeAgentInputs } from './inputs.js';

/** The fields of KubeletConfiguration v1beta1 that hyperup sets (`staging/src/k8s.io/kubelet/config/v1beta1`). */
export interface KubeletConfiguration {
  readonly apiVersion: 'kubelet.config.k8s.io/v1beta1';
  readonly kind: 'KubeletConfiguration';
  readonly [field: string]: unknown;
}

/**
 * `standalone`: without an API server, running static pods and nothing else; it serves no API of its own. A kubelet
 * that finds no API server at its start backs off from it for up to half a minute, so the control plane is brought up
 * by a standalone one, which then gives way to a `member`.
 */
export type KubeletMode = 'standalone' | 'member';

/** The configuration file of each mode, in the configuration folder. */
export const kubeletConfigNames: Readonly<Record<KubeletMode, string>> = {
  standalone: 'kubelet-standalone.yaml',
  member: 'kubelet.yaml',
};

/** The kubelet's configuration file as an object. Pure. */
export function kubeletConfiguration(inputs: NodeAgentInputs, mode: KubeletMode = 'member'): KubeletConfiguration {
  const { cluster } = inputs;
  const member = mode === 'member';
  const pki = join(cluster.paths.configDir, 'pki');
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: member },
      // A standalone one serves nobody, and starts before there are certificates.
      ...(member ? { x509: { clientCAFile: join(pki, 'ca.crt') } } : {}),
    },
    authorization: { mode: member ? 'Webhook' : 'AlwaysAllow' },
    cgroupDriver: inputs.cgroupDriver,
    clusterDNS: inputs.clusterDns,
    clusterDomain: cluster.clusterDomain,
    // Learners' machines have swap; preflight warns about it.
    failSwapOn: false,
    // From 1.31 a v1 host has to be allowed, from 1.35 it is refused by default.
    ...(inputs.cgroupVersion === 1 && minorOf(inputs.release.version) >= 31 ? { failCgroupV1: false } : {}),
    // The defaults up to 1.26 (5 requests a second) make a queue of the status reports of a handful of pods; these are
    // those since 1.27 (pkg/kubelet/apis/config/v1beta1/defaults.go).
    kubeAPIQPS: 50,
    kubeAPIBurst: 100,
    eventRecordQPS: 50,
    eventBurst: 100,
    healthzBindAddress: '127.0.0.1',
    healthzPort: cluster.ports.kubeletHealth,
    // The first report comes too early to say Ready; at the default of 10 s the next one is long in coming. Reports
    // without news are not sent (nodeStatusReportFrequency).
    nodeStatusUpdateFrequency: '2s',
    port: cluster.ports.kubelet,
    readOnlyPort: 0,
    resolvConf: inputs.resolvConf,
    // The images are here already or come through a mirror; one slow pull must not hold the others.
    serializeImagePulls: false,
    staticPodPath: join(cluster.paths.configDir, 'manifests'),
    tlsCertFile: join(pki, 'kubelet.crt'),
    tlsPrivateKeyFile: join(pki, 'kubelet.key'),
    tlsMinVersion: 'VersionTLS12',
  };
}

/** The kubelet's command-line flags for the release's version, without the configuration file's fields. Pure. */
export function kubeletFlags(
  inputs: NodeAgentInputs,
  pauseImage: string,
  mode: KubeletMode = 'member',
): readonly string[] {
  const { cluster, release } = inputs;
  const minor = minorOf(release.version);
  const config = cluster.paths.configDir;
  const flags: Record<string, string | undefined> = {
    'cert-dir': join(config, 'pki'),
    config: join(config, kubeletConfigNames[mode]),
    // The only runtime up to 1.23 that needs no other daemon; the flag itself came and went with dockershim.
    'container-runtime': minor < 24 ? 'docker' : undefined,
    'docker-endpoint': minor < 24 ? inputs.engineEndpoint : undefined,
    'hostname-override': cluster.nodeName,
    // As a flag: the configuration file of 1.17 to 1.19 doesn't have it.
    'enable-server': mode === 'member' ? undefined : 'false',
    kubeconfig: mode === 'member' ? join(config, 'kubelet.conf') : undefined,
    'node-ip': cluster.nodeAddress,
    // Removed with 1.35, where naming it ends the process.
    'pod-infra-container-image': minor < 35 ? pauseImage : undefined,
    'root-dir': cluster.paths.kubeletDir,
    // A redirect would send clients to a random port of dockershim's, past the kubelet's own authentication.
    'redirect-container-streaming': minor < 20 ? 'false' : undefined,
  };
  return Object.entries(flags)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `--${name}=${value}`)
    .sort();
}
