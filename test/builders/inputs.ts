import type { ControlPlaneInputs } from '../../src/controlplane/inputs.js';
import type { NodeAgentInputs } from '../../src/nodeagent/inputs.js';
import { releaseFor } from '../../src/release/release-for.js';
import type { ImageLayout } from '../../src/release/types.js';
import { makeCluster } from './cluster.js';

/** The control plane's inputs for a version, with `over` on top. */
export function makeControlPlaneInputs(
  version: string,
  over: Partial<ControlPlaneInputs> = {},
  layout: ImageLayout = 'hyperkube',
): ControlPlaneInputs {
  return {
    cluster: makeCluster({ kubernetesVersion: version }),
    release: releaseFor(version, layout),
    podCidr: '172.17.0.0/16',
    hostHasModules: true,
    ...over,
  };
}

/** The kubelet's inputs for a version, with `over` on top. */
export function makeNodeAgentInputs(version: string, over: Partial<NodeAgentInputs> = {}): NodeAgentInputs {
  return {
    cluster: makeCluster({ kubernetesVersion: version }),
    release: releaseFor(version),
    cgroupDriver: 'cgroupfs',
    cgroupVersion: 1,
    engineRootDir: '/var/lib/docker',
    resolvConf: '/etc/resolv.conf',
    engineEndpoint: 'unix:///var/run/docker.sock',
    existingHostPaths: new Set(['/lib/modules']),
    clusterDns: ['10.96.0.10'],
    ...over,
  };
}
