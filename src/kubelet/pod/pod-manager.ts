import type { V1Pod } from '../../kube/pod-objects.js';
import type { PodUid } from '../types.js';
import { isMirrorPod, isStaticPod, podFullName } from './pod-names.js';

/** The pods that this kubelet is to run, and the mirrors of its static ones; the objects are never changed. */
export interface PodManager {
  /** Adds a pod (of the API, static or a mirror) or puts a newer object in its place. */
  set(pod: V1Pod): void;
  /** Quiet where it isn't known. Another pod of the same name stays. */
  remove(pod: V1Pod): void;
  /** By the pod's own UID; never a mirror. */
  get(uid: PodUid): V1Pod | undefined;
  /** The newest of that name; never a mirror. */
  byName(namespace: string, name: string): V1Pod | undefined;
  /** Without mirrors. */
  all(): readonly V1Pod[];
  /** By the static pod's UID. */
  mirrorOf(uid: PodUid): V1Pod | undefined;
  /** The static pod of that mirror's name, whatever its hash. */
  podForMirror(mirror: V1Pod): V1Pod | undefined;
  /** Those without a static pod: to be deleted once all static pods are known. */
  orphanMirrors(): readonly V1Pod[];
}

/** In memory (v1.20 `kubelet/pod/pod_manager.go`); static pod and mirror belong together by their full name. */
export function createPodManager(): PodManager {
  const pods = new Map<PodUid, V1Pod>();
  const byFullName = new Map<string, V1Pod>();
  const mirrors = new Map<string, V1Pod>();
  const sameUid = (a: V1Pod | undefined, b: V1Pod) => a?.metadata?.uid === b.metadata?.uid;
  const uidOf = (pod: V1Pod): PodUid => pod.metadata?.uid ?? '';

  const manager: PodManager = {
    set(pod) {
      const fullName = podFullName(pod);
      if (isMirrorPod(pod)) {
        mirrors.set(fullName, pod);
        return;
      }
      pods.set(uidOf(pod), pod);
      byFullName.set(fullName, pod);
    },
    remove(pod) {
      const fullName = podFullName(pod);
      if (isMirrorPod(pod)) {
        if (sameUid(mirrors.get(fullName), pod)) mirrors.delete(fullName);
        return;
      }
      pods.delete(uidOf(pod));
      if (!sameUid(byFullName.get(fullName), pod)) return;
      byFullName.delete(fullName);
      // One of the same name that came before may still be on its way out.
      for (const other of pods.values()) if (podFullName(other) === fullName) byFullName.set(fullName, other);
    },
    get: (uid) => pods.get(uid),
    byName: (namespace, name) => byFullName.get(`${name}_${namespace}`),
    all: () => [...pods.values()],
    mirrorOf(uid) {
      const pod = pods.get(uid);
      return pod && isStaticPod(pod) ? mirrors.get(podFullName(pod)) : undefined;
    },
    podForMirror(mirror) {
      const pod = byFullName.get(podFullName(mirror));
      return pod && isStaticPod(pod) ? pod : undefined;
    },
    orphanMirrors: () => [...mirrors.values()].filter((mirror) => manager.podForMirror(mirror) === undefined),
  };
  return manager;
}
