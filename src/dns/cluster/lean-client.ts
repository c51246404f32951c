import type { KubeClient, ListOptions } from '../../kube/kube-client-types.js';
import type { KubeObject, V1ObjectMeta } from '../../kube/objects.js';
import type { ResourceRef } from '../../kube/resource-ref.js';

/** What is left of an object: what it was made into, and the version that a watch goes on from. */
export interface Lean<T> extends KubeObject {
  readonly metadata: Pick<V1ObjectMeta, 'resourceVersion'>;
  readonly value: T;
}

/** Objects a page: what is in memory of them at once. */
const pageSize = 100;

/**
 * A client for a reflector that strips each object as it comes in. Lists are read page by page from the store: from its
 * cache the API server would send all of them in one answer, whose text alone could be more than the whole zone.
 */
export function leanClient<T extends KubeObject, V>(
  client: Pick<KubeClient, 'list' | 'watch'>,
  resource: ResourceRef<T>,
  strip: (object: T) => V,
): Pick<KubeClient, 'listAll' | 'watch'> {
  const lean = (object: T): Lean<V> => ({
    metadata: { resourceVersion: object.metadata?.resourceVersion ?? '' },
    value: strip(object),
  });
  return {
    async listAll<U>(_resource: ResourceRef<U>, options: ListOptions = {}) {
      const { resourceVersion: _cached, ...selection } = options;
      const items: Lean<V>[] = [];
      let page = await client.list(resource, { ...selection, limit: pageSize });
      for (;;) {
        for (const object of page.items) items.push(lean(object));
        const { continue: continueToken } = page.metadata;
        if (!continueToken) break;
        // A token that expires midway is a list that failed: the reflector begins again.
        page = await client.list(resource, { ...selection, limit: pageSize, continueToken });
      }
      return { metadata: page.metadata, items: items as unknown as U[] };
    },
    async *watch<U>(_resource: ResourceRef<U>, options = {}) {
      for await (const event of client.watch(resource, options)) {
        const { type, object } = event;
        const { resourceVersion = '' } = object.metadata ?? {};
        const bare = type === 'BOOKMARK' ? { metadata: { resourceVersion } } : lean(object);
        yield { type, object: bare as unknown as U };
      }
    },
  };
}
