import type { Clock } from '../base/clock.js';
import { isHyperupError } from '../base/errors.js';
import type { KubeClient } from './kube-client-types.js';
import { microTime } from './kube-time.js';
import type { V1Lease, V1OwnerReference } from './objects.js';
import { resources } from './resource-ref.js';

export interface LeaseKeeperOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'update'>;
  readonly clock: Pick<Clock, 'now'>;
  /** `kube-node-lease` for a node's. */
  readonly namespace: string;
  readonly name: string;
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  /** Asked until it gives the owner (the Node may come later than the lease). */
  readonly owner?: (() => Promise<V1OwnerReference | undefined>) | undefined;
}

export interface LeaseKeeper {
  /**
   * Writes now as the renew time, making the lease where there is none; one call in the usual case. After a conflict it
   * reads the lease and tries once more. Throws what the client throws. The caller decides when, and never at once.
   */
  renew(): Promise<V1Lease>;
}

/** Holds one lease as the kubelet does (v1.20 `component-helpers/lease/controller.go`). */
export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { client, name, namespace } = options;
  let latest: V1Lease | undefined;

  async function compose(base: V1Lease | undefined): Promise<V1Lease> {
    const owners = base?.metadata?.ownerReferences ?? [];
    const owner = owners.length > 0 ? undefined : await options.owner?.();
    return {
      ...base,
      metadata: { ...base?.metadata, name, namespace, ...(owner ? { ownerReferences: [owner] } : {}) },
      spec: {
        ...base?.spec,
        holderIdentity: options.holderIdentity,
        leaseDurationSeconds: options.leaseDurationSeconds,
        renewTime: microTime(options.clock.now()),
      },
    };
  }

  async function renewFound(): Promise<V1Lease> {
    const found = await client.find(resources.leases, { name, namespace });
    const lease = await compose(found);
    return found ? await client.update(resources.leases, lease) : await client.create(resources.leases, lease);
  }

  return {
    async renew() {
      if (latest) {
        try {
          latest = await client.update(resources.leases, await compose(latest));
          return latest;
        } catch (error) {
          if (!isHyperupError(error, 'Conflict') && !isHyperupError(error, 'NotFound')) throw error;
        }
      }
      latest = await renewFound();
      return latest;
    },
  };
}
