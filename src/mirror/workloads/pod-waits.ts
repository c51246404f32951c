import type { V1Container, V1ContainerStatus, V1Pod } from '../../kube/pod-objects.js';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.js';

/**
 * What can be done for a container that has no image:
 * - `fetch`: it gets along with one that is in the engine under this name;
 * - `always`: its kubelet asks the registry whatever the engine has;
 * - `never`: the user wants nothing pulled;
 * - `digest`: engines know a digest only of what they pulled themselves, so no name can be put on a copy.
 */
export type WaitRemedy = 'fetch' | 'always' | 'never' | 'digest';

/** A container that can't start for want of its image. */
export interface ImageWait {
  readonly container: string;
  /** As the pod says it. */
  readonly image: string;
  /** In full, with a tag unless it has a digest. */
  readonly reference: string;
  readonly remedy: WaitRemedy;
}

/** A pod as messages and requests name it. */
export interface PodKey {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** `kubectl`'s words for it (kubelet v1.20 `pkg/kubelet/images/types.go`); `ErrImageNeverPull` apart. */
const pullReasons: ReadonlySet<string> = new Set(['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable']);

export function podKeyOf({ metadata }: V1Pod): PodKey {
  const { namespace = '', name = '', uid } = metadata ?? {};
  return { namespace, name, uid: uid ?? `${namespace}/${name}` };
}

/** The containers of a pod, init and ephemeral ones too, that wait for an image, in the pod's order. Pure. */
export function imageWaits({ metadata, spec, status }: V1Pod): readonly ImageWait[] {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (!spec || isOver || metadata?.deletionTimestamp !== undefined) return [];
  const sorts = [
    [spec.initContainers, status?.initContainerStatuses],
    [spec.containers, status?.containerStatuses],
    [spec.ephemeralContainers, status?.ephemeralContainerStatuses],
  ] as const;
  return sorts.flatMap(([containers = [], statuses = []]) =>
    containers.flatMap((each) => waitOf(each, statuses) ?? []),
  );
}

function waitOf(container: V1Container, statuses: readonly V1ContainerStatus[]): ImageWait | undefined {
  const { name, image = '' } = container;
  const reason = statuses.find((status) => status.name === name)?.state?.waiting?.reason ?? '';
  const isNever = reason === 'ErrImageNeverPull';
  if (!isNever && !pullReasons.has(reason)) return undefined;
  const parsed = parsedOrNothing(image);
  if (!parsed) return undefined;
  const reference = { ...parsed, tag: parsed.tag ?? (parsed.digest === undefined ? 'latest' : undefined) };
  const remedy = isNever ? 'never' : remedyFor(container, reference);
  return { container: name, image, reference: formatReference(reference), remedy };
}

function remedyFor({ imagePullPolicy }: V1Container, { tag, digest }: ImageReference): WaitRemedy {
  // The API server fills the policy in; what it didn't see has the same defaults.
  const policy = imagePullPolicy ?? (tag === 'latest' ? 'Always' : 'IfNotPresent');
  if (policy === 'Always') return 'always';
  return digest === undefined ? 'fetch' : 'digest';
}

/** A name that is none the kubelet tells of by itself. */
function parsedOrNothing(image: string): ImageReference | undefined {
  try {
    return parseReference(image);
  } catch {
    return undefined;
  }
}
