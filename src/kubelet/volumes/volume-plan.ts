import { HyperupError } from '../../base/errors.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1NfsVolumeSource, V1Pod, V1Volume } from '../../kube/pod-objects.js';
import type { PodUid } from '../types.js';
import { type BoundVolume, boundVolumeOf, claimReferenceOf } from './claims.js';
import type { VolumeLayout } from './volume-layout.js';

/** How one volume of a pod comes to stand on the host. */
export type VolumePlan = PlanBase &
  (
    | { readonly kind: 'emptyDir'; readonly medium: string; readonly sizeLimit: string | undefined }
    | { readonly kind: 'hostPath'; readonly type: string }
    | {
        readonly kind: 'local';
        readonly source: string;
        /** Of a block device; absent where the volume doesn't say. */
        readonly fsType: string | undefined;
        readonly mountOptions: readonly string[];
      }
    /** The block device itself; its path is the volume's, links not followed. */
    | { readonly kind: 'device' }
    | { readonly kind: 'nfs'; readonly source: V1NfsVolumeSource; readonly mountOptions: readonly string[] }
    /** Files of the kubelet's own; `place` is a link to the path where that is in memory. */
    | { readonly kind: 'files'; readonly place: string | undefined }
  );

interface PlanBase {
  /** In the pod. */
  readonly name: string;
  /** That of the persistent volume behind a claim, else the same. */
  readonly innerName: string;
  /** What the engine binds, on the host. */
  readonly path: string;
  readonly readOnly: boolean;
}

export interface PlanOptions {
  readonly layout: VolumeLayout;
  readonly client: Pick<KubeClient, 'find'>;
}

/** Fetches the claim and its volume where there is one. Throws `InvalidConfig` for what can't be set up as it stands. */
export async function planVolume(
  pod: V1Pod,
  uid: PodUid,
  volume: V1Volume,
  { layout, client }: PlanOptions,
): Promise<VolumePlan> {
  const reference = claimReferenceOf(pod, volume);
  if (reference) return planBound(uid, volume.name, await boundVolumeOf(client, pod, volume, reference), layout);
  const { name } = volume;
  const base = { name, innerName: name };
  if (volume.hostPath) {
    const { path, type = '' } = volume.hostPath;
    return { ...base, kind: 'hostPath', path, readOnly: false, type };
  }
  if (volume.configMap || volume.downwardAPI) {
    const plugin = volume.configMap ? 'configMap' : 'downwardAPI';
    const path = layout.volumeDir(uid, plugin, name);
    return { ...base, kind: 'files', path, readOnly: true, place: undefined };
  }
  if (volume.secret || volume.projected) {
    const place = layout.volumeDir(uid, volume.secret ? 'secret' : 'projected', name);
    return { ...base, kind: 'files', path: memoryPath(layout, uid, place), readOnly: true, place };
  }
  if (volume.nfs) return planNfs(uid, base, volume.nfs, volume.nfs.readOnly ?? false, [], layout);
  const other = Object.keys(volume).find((key) => key !== 'name' && key !== 'emptyDir');
  if (other !== undefined) throw unsupported(name, other);
  const { medium = '', sizeLimit } = volume.emptyDir ?? {};
  const path = layout.volumeDir(uid, 'emptyDir', name);
  return { ...base, kind: 'emptyDir', path, readOnly: false, medium, sizeLimit };
}

/** A pod's volumes of all kinds have names of their own, so that the kind is not part of the path. */
function memoryPath(layout: VolumeLayout, uid: PodUid, place: string): string {
  return `${layout.podMemoryDir(uid)}${place.slice(place.lastIndexOf('/'))}`;
}

function planBound(uid: PodUid, name: string, bound: BoundVolume, layout: VolumeLayout): VolumePlan {
  const { hostPath, local, nfs, mountOptions = [] } = bound.volume.spec ?? {};
  const base = { name, innerName: bound.name };
  const { readOnly } = bound;
  if (bound.mode === 'Block') {
    if (local) return { ...base, kind: 'device', path: local.path, readOnly };
    throw unsupported(name, `${sourceTypeOf(bound)}" of volumeMode "Block`, bound.name);
  }
  if (hostPath) return { ...base, kind: 'hostPath', path: hostPath.path, readOnly, type: hostPath.type ?? '' };
  if (local) {
    const path = layout.volumeDir(uid, 'local', bound.name);
    return { ...base, kind: 'local', path, readOnly, source: local.path, fsType: local.fsType, mountOptions };
  }
  if (nfs) return planNfs(uid, base, nfs, readOnly, mountOptions, layout);
  throw unsupported(name, sourceTypeOf(bound), bound.name);
}

function sourceTypeOf(bound: BoundVolume): string {
  const known = new Set(['accessModes', 'capacity', 'claimRef', 'mountOptions', 'nodeAffinity', 'storageClassName']);
  for (const key of ['persistentVolumeReclaimPolicy', 'volumeMode', 'volumeAttributesClassName']) known.add(key);
  return Object.keys(bound.volume.spec ?? {}).find((key) => !known.has(key)) ?? 'none';
}

function planNfs(
  uid: PodUid,
  base: Pick<PlanBase, 'name' | 'innerName'>,
  source: V1NfsVolumeSource,
  readOnly: boolean,
  mountOptions: readonly string[],
  layout: VolumeLayout,
): VolumePlan {
  return { ...base, kind: 'nfs', path: layout.volumeDir(uid, 'nfs', base.innerName), readOnly, source, mountOptions };
}

function unsupported(name: string, type: string, persistentVolume?: string): HyperupError {
  const of = persistentVolume === undefined ? '' : ` of PersistentVolume "${persistentVolume}"`;
  return new HyperupError('InvalidConfig', `volume "${name}": volume type "${type}"${of} is not supported`, {
    hint: 'Use emptyDir, hostPath, configMap, secret, downwardAPI, projected, nfs, or a claim on a hostPath, local or nfs volume.',
    details: { name, type },
  });
}
