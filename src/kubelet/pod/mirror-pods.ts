import { HyperupError, isHyperupError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { keyOf, resources } from '../../kube/resource-ref.js';
import { isMirrorPod } from './pod-names.js';

export interface MirrorPodsOptions {
  readonly client: Pick<KubeClient, 'create' | 'delete' | 'find'>;
  readonly nodeName: string;
  /** The node object's own UID; undefined while it isn't registered. */
  readonly nodeUid: () => string | undefined;
  readonly logger?: Logger | undefined;
}

/** The API server's images of static pods; every call may be repeated. Throws what the client throws. */
export interface MirrorPods {
  /**
   * Sees to it that the static pod's mirror is there and of this very pod; `mirror` is the one known, if any. Throws
   * `NotFound` while the node isn't registered.
   */
  ensureMirror(pod: V1Pod, mirror: V1Pod | undefined): Promise<void>;
  /** At once, and only this very object. False where it was not there any more. */
  deleteMirror(mirror: V1Pod): Promise<boolean>;
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const hashAnnotation = 'kubernetes.io/config.hash';

/** v1.20 `kubelet/pod/mirror_client.go`, `kubelet.go` syncPod. */
export function createMirrorPods(options: MirrorPodsOptions): MirrorPods {
  const { client, nodeName, nodeUid, logger = silentLogger } = options;
  const isCurrent = (mirror: V1Pod, pod: V1Pod) =>
    mirror.metadata?.deletionTimestamp === undefined && isMirrorOf(mirror, pod);

  async function deleteMirror(mirror: V1Pod): Promise<boolean> {
    const { uid } = mirror.metadata ?? {};
    try {
      return await client.delete(resources.pods, keyOf(mirror), {
        gracePeriodSeconds: 0,
        ...(uid === undefined ? {} : { uid }),
      });
    } catch (error) {
      // Another object has its name by now.
      if (isHyperupError(error, 'Conflict')) return false;
      throw error;
    }
  }

  async function create(pod: V1Pod): Promise<void> {
    const uid = nodeUid();
    if (uid === undefined) {
      throw new HyperupError('NotFound', `create mirror pod ${pod.metadata?.name}: node ${nodeName} is not registered`);
    }
    await client.create(resources.pods, mirrorFor(pod, nodeName, uid));
    logger.info('Mirror pod created', { pod: `${pod.metadata?.namespace}/${pod.metadata?.name}` });
  }

  return {
    deleteMirror,
    async ensureMirror(pod, mirror) {
      if (mirror && isCurrent(mirror, pod)) return;
      if (mirror) await deleteMirror(mirror);
      try {
        await create(pod);
      } catch (error) {
        if (!isHyperupError(error, 'AlreadyExists')) throw error;
        const found = await client.find(resources.pods, keyOf(pod));
        if (found && isCurrent(found, pod)) return;
        // Whoever made a pod of that name that is no mirror keeps it.
        if (found === undefined || !isMirrorPod(found)) throw error;
        await deleteMirror(found);
        await create(pod);
      }
    },
  };
}

/** True where the mirror was made from this version of the static pod (v1.20 `pod_manager.go` IsMirrorPodOf). */
export function isMirrorOf(mirror: V1Pod, pod: V1Pod): boolean {
  const hash = pod.metadata?.annotations?.[hashAnnotation];
  return hash !== undefined && mirror.metadata?.annotations?.[mirrorAnnotation] === hash;
}

function mirrorFor(pod: V1Pod, nodeName: string, nodeUid: string): V1Pod {
  const { name, namespace, labels, annotations } = pod.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [mirrorAnnotation]: annotations?.[hashAnnotation] ?? '' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid, controller: true }],
    },
    ...(pod.spec === undefined ? {} : { spec: pod.spec }),
  };
}
