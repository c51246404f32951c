import { join } from 'node:path';
import { validPathPart } from '../pod/pod-names.js';
import type { KubeletIdentity, PodUid } from '../types.js';

/** Where volumes of these kinds stand below `pods/<uid>/volumes` (v1.20 `GetPodVolumeDir`: `/` written `~`). */
export const pluginFolders = {
  emptyDir: 'kubernetes.io~empty-dir',
  configMap: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  downwardAPI: 'kubernetes.io~downward-api',
  projected: 'kubernetes.io~projected',
  local: 'kubernetes.io~local-volume',
  nfs: 'kubernetes.io~nfs',
} as const;

/** The kubelet's folders of volumes, the same path here and on the host. Names are checked before they become parts. */
export interface VolumeLayout {
  readonly podsDir: string;
  /** The one tmpfs with the content of all secret and projected volumes. */
  readonly memoryDir: string;
  /** Where a device behind a local volume is mounted once for all pods (v1.20 `MountsInGlobalPDPath`). */
  deviceMountDir(persistentVolume: string): string;
  podDir(uid: PodUid): string;
  pluginDir(uid: PodUid, plugin: keyof typeof pluginFolders): string;
  volumeDir(uid: PodUid, plugin: keyof typeof pluginFolders, name: string): string;
  podMemoryDir(uid: PodUid): string;
  subpathsDir(uid: PodUid): string;
  subpathTarget(uid: PodUid, volume: string, container: string, index: number): string;
}

/** Throws `InvalidConfig` from its functions for a name that would leave its folder. */
export function createVolumeLayout(identity: Pick<KubeletIdentity, 'rootDir'>): VolumeLayout {
  const podsDir = join(identity.rootDir, 'pods');
  const memoryDir = join(identity.rootDir, 'memory-volumes');
  const podDir = (uid: PodUid) => join(podsDir, validPathPart(uid));
  const pluginDir = (uid: PodUid, plugin: keyof typeof pluginFolders) =>
    join(podDir(uid), 'volumes', pluginFolders[plugin]);
  return {
    podsDir,
    memoryDir,
    deviceMountDir: (name) => join(identity.rootDir, 'plugins/kubernetes.io/local-volume/mounts', validPathPart(name)),
    podDir,
    pluginDir,
    volumeDir: (uid, plugin, name) => join(pluginDir(uid, plugin), validPathPart(name)),
    podMemoryDir: (uid) => join(memoryDir, validPathPart(uid)),
    subpathsDir: (uid) => join(podDir(uid), 'volume-subpaths'),
    subpathTarget: (uid, volume, container, index) =>
      join(podDir(uid), 'volume-subpaths', validPathPart(volume), validPathPart(container), String(index)),
  };
}
