import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { type Reflector, type ReflectorChange, startReflector } from '../../kube/reflector.js';
import { resources } from '../../kube/resource-ref.js';
import { configSource, isMirrorPod } from '../pod/pod-names.js';

export interface ApiPodSourceOptions {
  readonly client: Pick<KubeClient, 'listAll' | 'watch'>;
  readonly nodeName: string;
  readonly clock: Clock;
  /** All of them first, then one change after another; mirror pods included. */
  readonly onPods: (change: ReflectorChange<V1Pod>) => void;
  readonly logger?: Logger | undefined;
  readonly random?: (() => number) | undefined;
}

/** Something that runs until it is stopped. */
export interface PodSource {
  start(): void;
  /** Resolves once all pods were reported for the first time. */
  readonly synced: Promise<void>;
  /** Nothing is reported any more once it resolves. */
  stop(): Promise<void>;
}

/** The pods bound to this node (v1.20 `kubelet/config/apiserver.go`); the field selector is what the node is allowed. */
export function createApiPodSource(options: ApiPodSourceOptions): PodSource {
  const { client, nodeName, clock, onPods, logger, random } = options;
  let reflector: Reflector | undefined;
  let markSynced = () => {};
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  return {
    synced,
    start() {
      reflector ??= startReflector({
        client,
        resource: resources.pods,
        fieldSelector: `spec.nodeName=${nodeName}`,
        clock,
        random,
        logger,
        onChange(change) {
          onPods(withSources(change));
          if (change.type === 'replaced') markSynced();
        },
      });
    },
    async stop() {
      await reflector?.stop();
    },
  };
}

function withSources(change: ReflectorChange<V1Pod>): ReflectorChange<V1Pod> {
  if (change.type === 'replaced') return { ...change, objects: change.objects.map(fromApi) };
  return { ...change, object: fromApi(change.object) };
}

/** What came from the API server is no static pod, whatever its annotations say. */
function fromApi(pod: V1Pod): V1Pod {
  if (configSource(pod) === 'api' || isMirrorPod(pod)) return pod;
  const annotations = { ...pod.metadata?.annotations, 'kubernetes.io/config.source': 'api' };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}
