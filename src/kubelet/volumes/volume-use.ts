import type { V1Container, V1Pod, V1Volume } from '../../kube/pod-objects.js';

/** Of all kinds. */
export function allContainers(pod: V1Pod): readonly V1Container[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? { containers: [] };
  return [...initContainers, ...containers, ...ephemeralContainers];
}

/** The volumes that a container uses, in the pod's order; others are never set up (v1.20 `GetPodVolumeNames`). */
export function volumesInUseOf(pod: V1Pod): readonly V1Volume[] {
  const used = new Set<string>();
  for (const { volumeMounts = [], volumeDevices = [] } of allContainers(pod)) {
    for (const { name } of [...volumeMounts, ...volumeDevices]) used.add(name);
  }
  return (pod.spec?.volumes ?? []).filter(({ name }) => used.has(name));
}

/** True where a container wants its files. */
export function isUsedAsMount(pod: V1Pod, volume: string): boolean {
  return allContainers(pod).some(({ volumeMounts = [] }) => volumeMounts.some(({ name }) => name === volume));
}

/** True where a container wants it as a block device. */
export function isUsedAsDevice(pod: V1Pod, volume: string): boolean {
  return allContainers(pod).some(({ volumeDevices = [] }) => volumeDevices.some(({ name }) => name === volume));
}
