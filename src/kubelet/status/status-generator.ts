import type { Clock } from '../../base/clock.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import { containersOf } from '../pod/containers.js';
import type { ContainerId, PodFiles, ProbeResults, RuntimeContainer, RuntimePodStatus, Statuses } from '../types.js';
import { generatePodStatus } from './generate-pod-status.js';

export interface StatusGeneratorOptions {
  readonly statuses: Pick<Statuses, 'get'>;
  readonly probes: ProbeResults;
  readonly files: Pick<PodFiles, 'readTerminationMessage'>;
  readonly hostIps: readonly string[];
  readonly clock: Clock;
  /** The API server's minor version. */
  readonly minor: () => number;
}

type Failures = ReadonlyMap<string, { readonly reason: string; readonly message: string }>;

/** Of one container, and of all of a pod's together (v1.20 `kubecontainer.MaxContainerTerminationMessageLength`). */
const containerMessageBytes = 4096;
const podMessageBytes = 12 * 1024;
/** More than the dead containers that a full node keeps. */
const rememberedMessages = 2000;

/**
 * Makes a pod's status from what is known now, the termination messages of containers that have ended included: they have to
 * be in the same status as the end itself. A message is read once.
 */
export function createStatusGenerator(
  options: StatusGeneratorOptions,
): (
  pod: V1Pod,
  runtime: RuntimePodStatus,
  startFailures: Failures,
  terminating: boolean,
  failure?: { readonly reason: string; readonly message: string },
) => Promise<V1PodStatus> {
  const messages = new Map<ContainerId, string>();

  async function withMessage(pod: V1Pod, container: RuntimeContainer): Promise<RuntimeContainer> {
    if (container.state !== 'exited' || container.startedAtMs === 0) return container;
    const known = messages.get(container.id);
    if (known !== undefined) return known === '' ? container : { ...container, message: known };
    const share = Math.floor(podMessageBytes / Math.max(1, containersOf(pod).length));
    const message = await options.files
      .readTerminationMessage(pod, container, Math.min(containerMessageBytes, share))
      .catch(() => '');
    messages.set(container.id, message);
    const [oldest] = messages.keys();
    if (messages.size > rememberedMessages && oldest !== undefined) messages.delete(oldest);
    return message === '' ? container : { ...container, message };
  }

  return async (pod, runtime, startFailures, terminating, failure) => {
    const containers = await Promise.all(runtime.containers.map((container) => withMessage(pod, container)));
    return generatePodStatus({
      pod,
      runtime: { ...runtime, containers },
      probes: options.probes,
      startFailures,
      previous: options.statuses.get(runtime.uid),
      hostIps: options.hostIps,
      nowMs: options.clock.now(),
      terminating,
      failure,
      options: { minor: options.minor() },
    });
  };
}
