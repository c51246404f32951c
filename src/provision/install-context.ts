import { HyperupError } from '../base/errors.js';
import type { DnsKind, InstallOptions } from '../config/types.js';
import type { ControlPlaneInputs } from '../controlplane/inputs.js';
import type { Manifests } from '../controlplane/manifests.js';
import type { Engine, EngineInfo } from '../docker/types.js';
import type { Journal } from '../host/journal.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import type { ObtainedImage } from '../mirror/outcome.js';
import type { BuiltinKubelet } from '../nodeagent/builtin-kubelet.js';
import type { ContainerNodeAgent } from '../nodeagent/container-node-agent.js';
import type { NodeAgentInputs } from '../nodeagent/inputs.js';
import type { PkiBundle } from '../pki/ensure-pki.js';
import type { Finding } from '../preflight/types.js';
import type { ReleaseSpec } from '../release/types.js';
import type { ClusterRecord } from './cluster-record.js';
import type { DnsPlan } from './plan-dns.js';
import type { KubeletPlan } from './plan-kubelet.js';
import type { Runtime } from './runtime.js';
import type { RunningSmoke } from './smoke.js';
import type { ClusterStatus } from './types.js';

/** One slot a step; a step fills its own and reads those of earlier ones through `slot`. */
export interface InstallSlots {
  engine: Engine;
  engineInfo: EngineInfo;
  findings: readonly Finding[];
  resolvConf: string;
  /** True where that names a server that a pod can ask. */
  hasResolvers: boolean;
  images: readonly ObtainedImage[];
  journal: Journal;
  pki: PkiBundle;
  manifests: Manifests;
  controlPlane: ControlPlaneInputs;
  nodeAgentInputs: NodeAgentInputs;
  /** Set once the built-in kubelet's image is there, where it runs the node. */
  builtin: BuiltinKubelet;
  /** The same image on its way, for whoever needs it. */
  kubeletImage: Promise<BuiltinKubelet>;
  /** The kubelet that runs now. */
  nodeAgent: ContainerNodeAgent;
  /** The one that brings the control plane up, until the node's own takes over. */
  standalone: ContainerNodeAgent;
  /** The node's own where it is to take over: made, not started. */
  member: ContainerNodeAgent;
  kube: KubeClient;
  smoke: RunningSmoke;
  status: ClusterStatus;
  context: string;
  kubectl: string;
}

export interface InstallContext {
  readonly options: InstallOptions;
  readonly runtime: Runtime;
  /** Which kubelet and which images this install sets out with. */
  readonly plan: KubeletPlan;
  /** Which DNS servers this install tries. */
  readonly dnsPlan: DnsPlan;
  /** What an earlier run left, if there was one. */
  readonly record: ClusterRecord | undefined;
  /** The images that it has settled for. */
  release: ReleaseSpec;
  /** The kubelet that it has settled for. */
  kubelet: KubeletPlan['kubelet'];
  /** The DNS server that it has settled for. */
  dns: DnsKind;
  /** A finished install that is no longer healthy: its data is not this run's to take back. */
  readonly repairing: boolean;
  readonly slots: Partial<InstallSlots>;
}

/** What an earlier step left. Throws `Internal` where the steps are in the wrong order. */
export function slot<K extends keyof InstallSlots>(context: Pick<InstallContext, 'slots'>, name: K): InstallSlots[K] {
  const value = context.slots[name];
  if (value === undefined) throw new HyperupError('Internal', `install: step order: ${name} is not there yet`);
  return value as InstallSlots[K];
}
