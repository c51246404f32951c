import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Node } from '../../kube/node-objects.js';
import { type Reflector, startReflector } from '../../kube/reflector.js';
import { resources } from '../../kube/resource-ref.js';

export interface NodeSourceOptions {
  readonly client: Pick<KubeClient, 'listAll' | 'watch' | 'get'>;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly random?: (() => number) | undefined;
}

/** This kubelet's own Node object. */
export interface NodeSource {
  start(): void;
  stop(): Promise<void>;
  /** The newest seen; undefined before the first list and while there is none. */
  current(): V1Node | undefined;
  /** Asks the API server now, for decisions that a moment-old node would get wrong. Throws what the client throws. */
  fetch(): Promise<V1Node>;
  /** Called at each change, with undefined once it is deleted. Gives what ends it. */
  onChange(listener: (node: V1Node | undefined) => void): () => void;
}

export function createNodeSource(options: NodeSourceOptions): NodeSource {
  const { client, nodeName, clock, logger, random } = options;
  const listeners = new Set<(node: V1Node | undefined) => void>();
  let node: V1Node | undefined;
  let reflector: Reflector | undefined;

  function take(next: V1Node | undefined): void {
    // What was fetched may be newer than what the watch tells now.
    if (next && node && next.metadata?.uid === node.metadata?.uid) {
      const [version, known] = [next.metadata?.resourceVersion, node.metadata?.resourceVersion].map(Number);
      if (version !== undefined && known !== undefined && version <= known) return;
    }
    if (next === undefined && node === undefined) return;
    node = next;
    for (const listener of [...listeners]) listener(next);
  }

  return {
    current: () => node,
    async fetch() {
      const fetched = await client.get(resources.nodes, { name: nodeName });
      take(fetched);
      return fetched;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      reflector ??= startReflector({
        client,
        resource: resources.nodes,
        fieldSelector: `metadata.name=${nodeName}`,
        clock,
        random,
        logger,
        onChange(change) {
          if (change.type === 'replaced') take(change.objects.find(({ metadata }) => metadata?.name === nodeName));
          else take(change.type === 'deleted' ? undefined : change.object);
        },
      });
    },
    async stop() {
      await reflector?.stop();
    },
  };
}
