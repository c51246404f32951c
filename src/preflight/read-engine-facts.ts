import { isHyperupError, messageOf } from '../base/errors.js';
import type { ClusterOptions } from '../config/types.js';
import { type ContainerSummary, type EngineInfo, managedLabel } from '../docker/types.js';
import { readJournal } from '../host/journal.js';
import type { FactSources, PreflightEngine } from './fact-sources.js';
import type { EngineFact, PrivilegedFact } from './facts.js';
import { engineMissingCapabilities, provePrivileged } from './privileged-probe.js';
import type { PodContainer } from './read-former-install.js';

/** What the engine says about itself, or why there is none. */
export async function readEngine(
  { engine, engineError }: FactSources,
  info: () => Promise<EngineInfo | undefined>,
): Promise<EngineFact> {
  if (!engine) return noEngine(engineError ?? 'no engine answers');
  try {
    return { info: await info(), message: '', hint: '' };
  } catch (error) {
    return noEngine(error);
  }
}

function noEngine(error: unknown): EngineFact {
  return { info: undefined, message: messageOf(error), hint: isHyperupError(error) ? (error.hint ?? '') : '' };
}

/** Whether privileged containers run: by running one, where that is allowed, and by the engine process's rights. */
export async function readPrivileged(
  { host, engine, clock }: FactSources,
  info: () => Promise<EngineInfo | undefined>,
  proofs: boolean,
): Promise<PrivilegedFact> {
  const [missing, facts] = await Promise.all([engineMissingCapabilities(host).catch(() => []), info()]);
  if (!engine || !facts) return { runs: 'unproven', message: 'no engine answers', missingCapabilities: missing };
  if (!proofs) return { runs: 'unproven', message: '', missingCapabilities: missing };
  const suffix = `${process.pid}-${clock.now().toString(36)}`;
  return { ...(await provePrivileged(engine, facts, suffix)), missingCapabilities: missing };
}

/** What dockershim and cri-dockerd label every container with. Source: pkg/kubelet/types/labels.go. */
const podNameLabel = 'io.kubernetes.pod.name';
const clusterLabel = 'io.hyperup.cluster';

export interface ClusterContainers {
  /** Full ids of the containers of the cluster that is being installed. */
  readonly own: readonly string[];
  /** Pods' containers, where no kubelet of ours is there that may have made them. */
  readonly foreignPods: readonly PodContainer[];
}

/** Tells our own cluster's containers from those of another kubelet on the same engine, by their labels alone. */
export async function readContainers(
  engine: PreflightEngine | undefined,
  cluster: Pick<ClusterOptions, 'name' | 'paths'>,
): Promise<ClusterContainers> {
  if (!engine) return { own: [], foreignPods: [] };
  const [managed, pods] = await Promise.all([
    engine.listContainers({ labels: [managedLabel], all: true }),
    engine.listContainers({ labels: [podNameLabel], all: true }),
  ]);
  const own = managed.filter(({ labels }) => labels[clusterLabel] === cluster.name).map(({ id }) => id);
  if (own.length > 0) return { own: [...own, ...pods.map(({ id }) => id)], foreignPods: [] };
  // Our kubelet is gone, but its pods may run on: those made since the journal says that there would be some.
  const since = await podsSince(cluster.paths.stateDir);
  const isOurs = ({ createdAt }: ContainerSummary) => since !== undefined && Date.parse(createdAt) >= since;
  return {
    own: pods.filter(isOurs).map(({ id }) => id),
    foreignPods: pods.filter((pod) => !isOurs(pod)).map(({ id, labels }) => ({ id, pod: labels[podNameLabel] ?? id })),
  };
}

/** When an install that stands announced its pods, milliseconds, less a second for the engine's rounding. */
async function podsSince(stateDir: string): Promise<number | undefined> {
  const entries = (await readJournal(stateDir)) ?? [];
  const entry = entries.find(({ change }) => change.kind === 'pods');
  return entry === undefined ? undefined : Date.parse(entry.time) - 1000;
}
