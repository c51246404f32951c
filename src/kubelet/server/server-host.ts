import type { Clock } from '../../base/clock.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import { isStaticPod, podUidOf } from '../pod/pod-names.js';
import type { Pleg, PodUid, RuntimePodStatus } from '../types.js';
import { createNodeUsage } from './node-usage.js';
import type { ServerHost } from './server-types.js';

export interface ServerHostOptions {
  readonly manager: {
    all(): readonly V1Pod[];
    byName(namespace: string, name: string): V1Pod | undefined;
    mirrorOf(uid: PodUid): V1Pod | undefined;
  };
  readonly statuses: { get(uid: PodUid): V1PodStatus | undefined };
  readonly pleg: Pick<Pleg, 'status' | 'refresh' | 'pods'>;
  readonly clock: Clock;
  readonly rootDir: string;
  readonly imageDir: string;
  /** The configuration file's fields. */
  readonly configz: Readonly<Record<string, unknown>>;
  readonly facts: {
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly machineId: string;
    readonly bootId: string;
    readonly systemUuid: string;
  };
}

/** The kubelet as its server shows it: the pods that it knows, with the newest statuses. */
export function createServerHost(options: ServerHostOptions): ServerHost {
  const { manager, statuses, pleg, facts } = options;
  const withStatus = (pod: V1Pod): V1Pod => {
    const status = statuses.get(podUidOf(pod));
    return status ? { ...pod, status } : pod;
  };
  return {
    pods: () => manager.all().map(withStatus),
    runningPods: async () =>
      pleg
        .pods()
        .filter(({ running }) => running)
        .map(({ uid, name, namespace }) => ({
          metadata: { name, namespace, uid },
          spec: {
            containers: runningContainers(pleg.status(uid)).map((container) => ({ name: container })),
          },
        })),
    findPod(namespace, name, uid) {
      const pod = manager.byName(namespace, name);
      if (!pod) return undefined;
      const own = podUidOf(pod);
      const isAsked =
        uid === undefined || uid === own || (isStaticPod(pod) && manager.mirrorOf(own)?.metadata?.uid === uid);
      return isAsked ? withStatus(pod) : undefined;
    },
    knownStatus: (pod) => pleg.status(podUidOf(pod)),
    freshStatus: (pod) => pleg.refresh(podUidOf(pod)),
    nodeUsage: createNodeUsage({ clock: options.clock, rootDir: options.rootDir, imageDir: options.imageDir }),
    configz: () => options.configz,
    machineInfo: () => ({
      num_cores: facts.cpus,
      memory_capacity: facts.memoryBytes,
      machine_id: facts.machineId,
      system_uuid: facts.systemUuid,
      boot_id: facts.bootId,
    }),
  };
}

function runningContainers(status: RuntimePodStatus | undefined): readonly string[] {
  return (status?.containers ?? []).filter(({ state }) => state === 'running').map(({ name }) => name);
}
