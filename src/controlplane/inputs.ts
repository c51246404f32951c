import type { ClusterOptions } from '../config/types.js';
import type { ReleaseSpec } from '../release/types.js';

/** All that the control plane's objects are made from. */
export interface ControlPlaneInputs {
  readonly cluster: ClusterOptions;
  readonly release: ReleaseSpec;
  /** The range that pods get their addresses from, where it is known. */
  readonly podCidr: string | undefined;
  /** True where the host has `/lib/modules`; a missing folder must not come into being by being mounted. */
  readonly hostHasModules: boolean;
}
