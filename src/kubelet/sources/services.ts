import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Service } from '../../kube/objects.js';
import { type Reflector, startReflector } from '../../kube/reflector.js';
import { resources } from '../../kube/resource-ref.js';
import type { Services } from '../types.js';

export interface ServiceSourceOptions {
  readonly client: Pick<KubeClient, 'listAll' | 'watch'>;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly random?: (() => number) | undefined;
}

export interface ServiceSource extends Services {
  start(): void;
  stop(): Promise<void>;
}

/** All Services of the cluster, for the environment of containers. */
export function createServiceSource(options: ServiceSourceOptions): ServiceSource {
  const { client, clock, logger, random } = options;
  const byName = new Map<string, V1Service>();
  const nameOf = ({ metadata }: V1Service) => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
  let snapshot: readonly V1Service[] | undefined;
  let reflector: Reflector | undefined;
  let markSynced = () => {};
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  return {
    async services() {
      await synced;
      snapshot ??= [...byName.values()];
      return snapshot;
    },
    start() {
      reflector ??= startReflector({
        client,
        resource: resources.services,
        clock,
        random,
        logger,
        onChange(change) {
          snapshot = undefined;
          if (change.type === 'replaced') {
            byName.clear();
            for (const service of change.objects) byName.set(nameOf(service), service);
            markSynced();
          } else if (change.type === 'deleted') byName.delete(nameOf(change.object));
          else byName.set(nameOf(change.object), change.object);
        },
      });
    },
    async stop() {
      await reflector?.stop();
    },
  };
}
