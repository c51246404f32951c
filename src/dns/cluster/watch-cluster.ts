import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { createBackoff } from '../../kube/backoff.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { KubeObject } from '../../kube/objects.js';
import { type Reflector, type ReflectorChange, startReflector } from '../../kube/reflector.js';
import { type ResourceRef, resources } from '../../kube/resource-ref.js';
import type { DnsEndpointsObject } from '../zone/types.js';
import type { ZoneStore } from '../zone/zone-store.js';
import { endpointSlices, endpointsToDns, sliceToDns, toDnsService, type V1DnsService } from './api-objects.js';
import { type Lean, leanClient } from './lean-client.js';

export interface ClusterWatchOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'raw'>;
  readonly store: ZoneStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: (() => number) | undefined;
  /** Told after each whole list that came in. */
  readonly onListed?: (() => void) | undefined;
}

export interface ClusterWatch {
  /** True once all first lists are in; stays true while the API server is away. */
  synced(): boolean;
  /** Resolves then; never where `stop` came first. */
  readonly whenSynced: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Keeps a zone's store up to date: Services, Namespaces, and EndpointSlices where the API server has them in v1 (from
 * 1.21), else Endpoints. No pods: `pods insecure` needs none.
 */
export function watchCluster(options: ClusterWatchOptions): ClusterWatch {
  const { client, store, clock, logger, random = Math.random, onListed } = options;
  const controller = new AbortController();
  const reflectors: Reflector[] = [];
  let isSynced = false;
  let markSynced = () => {};
  const whenSynced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });

  function follow<T extends KubeObject, V>(
    resource: ResourceRef<T>,
    strip: (object: T) => V,
    apply: (change: LeanChange<V>) => void,
  ): Reflector {
    return startReflector<Lean<V>>({
      client: leanClient(client, resource, strip),
      resource: resource as unknown as ResourceRef<Lean<V>>,
      clock,
      random,
      logger,
      onChange(change) {
        apply(leanChange(change));
        if (change.type === 'replaced') onListed?.();
      },
    });
  }

  function followEndpoints(hasSlices: boolean): Reflector {
    const apply = (change: LeanChange<DnsEndpointsObject>) => {
      if (change.type === 'replaced') store.replaceEndpoints(change.values.filter(({ service }) => service !== ''));
      else if (change.type === 'deleted' || change.value.service === '') store.deleteEndpoints(change.value);
      else store.setEndpoints(change.value);
    };
    return hasSlices ? follow(endpointSlices, sliceToDns, apply) : follow(resources.endpoints, endpointsToDns, apply);
  }

  async function start(): Promise<void> {
    const hasSlices = await findSlices();
    if (hasSlices === undefined) return;
    logger.info('Watching the cluster', { endpoints: hasSlices ? 'EndpointSlices' : 'Endpoints' });
    reflectors.push(
      follow(
        resources.namespaces,
        ({ metadata }) => metadata?.name ?? '',
        (change) => {
          if (change.type === 'replaced') store.replaceNamespaces(change.values);
          else store.setNamespace(change.value, change.type !== 'deleted');
        },
      ),
      follow<V1DnsService, ReturnType<typeof toDnsService>>(resources.services, toDnsService, (change) => {
        if (change.type === 'replaced') store.replaceServices(change.values);
        else if (change.type === 'deleted') store.deleteService(change.value.namespace, change.value.name);
        else store.setService(change.value);
      }),
      followEndpoints(hasSlices),
    );
    await Promise.all(reflectors.map(({ synced }) => synced));
    isSynced = true;
    markSynced();
    logger.info('Ready', store.count());
  }

  /** Asks until the API server answers; undefined where stopped before. */
  async function findSlices(): Promise<boolean | undefined> {
    const backoff = createBackoff({ initialMs: 300, maxMs: 10_000, random });
    const { signal } = controller;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const { statusCode } = await client.raw(`/apis/${endpointSlices.apiVersion}`, { signal, timeoutMs: 5000 });
        if (statusCode === 200 || statusCode === 404) return statusCode === 200;
        throw new Error(`got status ${statusCode}`);
      } catch (error) {
        if (signal.aborted) return undefined;
        const log = attempt === 0 ? logger.warn : logger.debug;
        log('The API server cannot be asked yet', { err: messageOf(error) });
        await clock.sleep(backoff.nextMs(), signal).catch(() => {});
      }
    }
    return undefined;
  }

  void start();
  return {
    synced: () => isSynced,
    whenSynced,
    async stop() {
      controller.abort();
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

type LeanChange<V> =
  | { readonly type: 'replaced'; readonly values: readonly V[] }
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly value: V };

function leanChange<V>(change: ReflectorChange<Lean<V>>): LeanChange<V> {
  return change.type === 'replaced'
    ? { type: 'replaced', values: change.objects.map(({ value }) => value) }
    : { type: change.type, value: change.object.value };
}
