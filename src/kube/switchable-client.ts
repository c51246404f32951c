import { HyperupError } from '../base/errors.js';
import type { KubeClient } from './kube-client-types.js';

/** A client whose place is taken by another one while it is used. */
export interface SwitchableClient extends KubeClient {
  /** From now on calls go to this one; the former is closed, which ends its watches (`Aborted`) and makes them start anew. */
  use(client: KubeClient): Promise<void>;
  /** True once `use` was called. */
  isReady(): boolean;
}

/**
 * For whoever starts before there are credentials, or gets new ones as it runs. Until `use` is called every call throws
 * `ApiFailed`, as one to a server that can't be reached.
 */
export function createSwitchableClient(): SwitchableClient {
  let current: KubeClient | undefined;
  let isClosed = false;
  const ready = (): KubeClient => {
    if (current) return current;
    throw new HyperupError('ApiFailed', 'call the API server: there are no credentials yet', {
      details: { reason: 'Unreachable' },
    });
  };
  return {
    async use(client) {
      // Whoever fetches credentials may be done only after all is over.
      if (isClosed) {
        await client.close();
        return;
      }
      const former = current;
      current = client;
      await former?.close();
    },
    isReady: () => current !== undefined,
    get: async (...args) => await ready().get(...args),
    find: async (...args) => await ready().find(...args),
    list: async (...args) => await ready().list(...args),
    listAll: async (...args) => await ready().listAll(...args),
    create: async (...args) => await ready().create(...args),
    update: async (...args) => await ready().update(...args),
    patch: async (...args) => await ready().patch(...args),
    apply: async (...args) => await ready().apply(...args),
    delete: async (...args) => await ready().delete(...args),
    raw: async (...args) => await ready().raw(...args),
    version: async (...args) => await ready().version(...args),
    async *watch(...args) {
      yield* ready().watch(...args);
    },
    readLog: async (...args) => await ready().readLog(...args),
    async *followLog(...args) {
      yield* ready().followLog(...args);
    },
    evict: async (...args) => await ready().evict(...args),
    createToken: async (...args) => await ready().createToken(...args),
    async close() {
      isClosed = true;
      await current?.close();
    },
  };
}
