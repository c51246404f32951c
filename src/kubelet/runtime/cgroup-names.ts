import type { RuntimeInfo } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { podUidOf, validPathPart } from '../pod/pod-names.js';
import { type QosClass, qosClassOf } from '../pod/qos.js';
import type { PodUid } from '../types.js';

export interface CgroupLayout {
  readonly perQos: boolean;
  /** Below which everything lies; `/` at most nodes. */
  readonly root: string;
  readonly driver: RuntimeInfo['cgroupDriver'];
}

const qosFolders: Readonly<Record<QosClass, readonly string[]>> = {
  Guaranteed: [],
  Burstable: ['burstable'],
  BestEffort: ['besteffort'],
};

/**
 * `CgroupParent` of a pod's containers: a path for cgroupfs, the name of the last slice for systemd (v1.20
 * `cm/pod_container_manager_linux.go`, `dockershim/docker_service.go` `GenerateExpectedCgroupParent`). Undefined where the
 * engine chooses.
 */
export function podCgroupParent(pod: V1Pod, layout: CgroupLayout): string | undefined {
  if (!layout.perQos && layout.root === '/') return undefined;
  const parts = layout.perQos ? podParts(podUidOf(pod), qosClassOf(pod), layout) : rootParts(layout);
  return layout.driver === 'systemd' ? sliceOf(parts) : `/${parts.join('/')}`;
}

/** Where a pod's cgroup lies below a controller's root; undefined where pods have none of their own. */
export function podCgroupPath(pod: V1Pod, layout: CgroupLayout): string | undefined {
  return layout.perQos ? pathOf(podParts(podUidOf(pod), qosClassOf(pod), layout), layout) : undefined;
}

/** Where a pod's cgroup may lie, its class unknown. Throws `InvalidConfig` for an UID that isn't a part of a path. */
export function possiblePodCgroupPaths(uid: PodUid, layout: CgroupLayout): readonly string[] {
  if (!layout.perQos) return [];
  return (Object.keys(qosFolders) as QosClass[]).map((qos) => pathOf(podParts(uid, qos, layout), layout));
}

function rootParts(layout: CgroupLayout): readonly string[] {
  return layout.root.split('/').filter((part) => part !== '' && part !== '..');
}

function podParts(uid: PodUid, qos: QosClass, layout: CgroupLayout): readonly string[] {
  return [...rootParts(layout), 'kubepods', ...qosFolders[qos], `pod${validPathPart(uid)}`];
}

function pathOf(parts: readonly string[], layout: CgroupLayout): string {
  if (layout.driver !== 'systemd') return parts.join('/');
  return parts.map((_part, index) => sliceOf(parts.slice(0, index + 1))).join('/');
}

/** A hyphen separates levels in a slice's name, so names have underscores instead. */
function sliceOf(parts: readonly string[]): string {
  return `${parts.map((part) => part.replaceAll('-', '_')).join('-')}.slice`;
}
