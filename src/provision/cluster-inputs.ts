import { dnsAddress } from '../config/dns-address.js';
import type { ClusterOptions, DnsKind } from '../config/types.js';
import type { ControlPlaneInputs } from '../controlplane/inputs.js';
import type { EngineInfo } from '../docker/types.js';
import type { NodeAgentInputs } from '../nodeagent/inputs.js';
import type { PkiOptions } from '../pki/plan-pki.js';
import type { ReleaseSpec } from '../release/types.js';
import { bridgeCidr, existingHostPaths } from './host-facts.js';

export interface ClusterInputs {
  readonly controlPlane: ControlPlaneInputs;
  readonly nodeAgent: NodeAgentInputs;
}

/** What of the engine decides how a kubelet is configured. */
export type EngineTraits = Pick<EngineInfo, 'cgroupDriver' | 'cgroupVersion' | 'rootDir' | 'endpoint'>;

/** An engine as most are, for rendering where none answers. */
export const usualEngine: EngineTraits = {
  cgroupDriver: 'cgroupfs',
  cgroupVersion: 1,
  rootDir: '/var/lib/docker',
  endpoint: 'unix:///var/run/docker.sock',
};

/** Everything that the control plane and the kubelet are made from. Looks at this host, changes nothing. */
export async function clusterInputs(
  cluster: ClusterOptions,
  release: ReleaseSpec,
  engine: EngineTraits,
  resolvConf: string,
  dns: DnsKind,
): Promise<ClusterInputs> {
  const hostPaths = await existingHostPaths();
  return {
    controlPlane: {
      cluster,
      release,
      podCidr: cluster.podCidr ?? bridgeCidr(),
      hostHasModules: hostPaths.has('/lib/modules'),
    },
    nodeAgent: {
      cluster,
      release,
      cgroupDriver: engine.cgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs',
      cgroupVersion: engine.cgroupVersion,
      engineRootDir: engine.rootDir,
      resolvConf,
      // The kubelet's container has the folder as /var/run.
      engineEndpoint: engine.endpoint.replace('unix:///run/', 'unix:///var/run/'),
      existingHostPaths: hostPaths,
      clusterDns: dns === 'none' ? [] : [dnsAddress(cluster.serviceCidr)],
    },
  };
}

/** What the certificates are planned from. */
export function pkiOptions(cluster: ClusterOptions): PkiOptions {
  return {
    nodeName: cluster.nodeName,
    nodeAddresses: [cluster.nodeAddress],
    serviceCidr: cluster.serviceCidr,
    clusterDomain: cluster.clusterDomain,
    extraSans: cluster.extraSans,
  };
}
