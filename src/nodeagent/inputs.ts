import type { ClusterOptions } from '../config/types.js';
import type { ReleaseSpec } from '../release/types.js';

/** What a kubelet is started from, whichever it is. */
export interface NodeAgentInputs {
  readonly cluster: ClusterOptions;
  readonly release: ReleaseSpec;
  /** The engine's own; a kubelet with another one puts pods where the engine doesn't look. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly cgroupVersion: 1 | 2;
  /** The engine's data folder. */
  readonly engineRootDir: string;
  /** The resolver file for pods; not the one that names 127.0.0.53. */
  readonly resolvConf: string;
  /** The engine's socket as the kubelet reaches it. */
  readonly engineEndpoint: string;
  /** Host folders that exist and that the kubelet is to see; see `optionalMounts`. */
  readonly existingHostPaths: ReadonlySet<string>;
  /** The way to Service addresses that the install had to make, and that a reboot takes away. */
  readonly serviceRoute?: { readonly destination: string; readonly link: string; readonly source: string } | undefined;
  /** Resolver addresses for pods; empty where the cluster has no DNS. */
  readonly clusterDns: readonly string[];
}
