import { HyperupError, messageOf } from '../../base/errors.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1PersistentVolume, V1PersistentVolumeClaim } from '../../kube/kubelet-objects.js';
import type { V1Pod, V1Volume } from '../../kube/pod-objects.js';
import { resources } from '../../kube/resource-ref.js';
import { isUsedAsDevice, isUsedAsMount } from './volume-use.js';

/** What stands behind a pod's claim. */
export interface BoundVolume {
  readonly volume: V1PersistentVolume;
  readonly name: string;
  /** By the pod's reference to the claim. */
  readonly readOnly: boolean;
  /** Fits how the pod's containers use it. */
  readonly mode: 'Filesystem' | 'Block';
}

interface ClaimReference {
  readonly claimName: string;
  readonly readOnly: boolean;
  /** The claim was made for the pod, which has to own it. */
  readonly ephemeral: boolean;
}

/** The claim that a volume refers to; undefined for volumes without one. Pure. */
export function claimReferenceOf(pod: V1Pod, volume: V1Volume): ClaimReference | undefined {
  const { persistentVolumeClaim: claim, ephemeral } = volume;
  if (claim) return { claimName: claim.claimName, readOnly: claim.readOnly ?? false, ephemeral: false };
  if (!ephemeral) return undefined;
  const readOnly = 'readOnly' in ephemeral && ephemeral.readOnly === true;
  return { claimName: `${pod.metadata?.name ?? ''}-${volume.name}`, readOnly, ephemeral: true };
}

/**
 * Fetches the claim and its volume and checks that they are bound to each other. Throws `InvalidConfig` with upstream's
 * texts (v1.20 `desired_state_of_world_populator.go`, `createVolumeSpec`).
 */
export async function boundVolumeOf(
  client: Pick<KubeClient, 'find'>,
  pod: V1Pod,
  volume: V1Volume,
  reference: ClaimReference,
): Promise<BoundVolume> {
  const namespace = pod.metadata?.namespace ?? 'default';
  const subject = `error processing PVC ${namespace}/${reference.claimName}`;
  const claim = await fetchClaim(client, namespace, reference.claimName, subject);
  if (reference.ephemeral && !isControlledBy(claim, pod)) {
    throw fault(`${subject}: not the ephemeral PVC for the pod`);
  }
  const name = claim.spec?.volumeName ?? '';
  let found: V1PersistentVolume | undefined;
  try {
    found = await client.find(resources.persistentVolumes, { name });
  } catch (error) {
    throw fault(`${subject}: failed to fetch PV ${name} from API server: ${messageOf(error)}`, error);
  }
  if (!found)
    throw fault(`${subject}: failed to fetch PV ${name} from API server: persistentvolumes "${name}" not found`);
  const claimRef = found.spec?.claimRef;
  if (!claimRef) {
    throw fault(
      `${subject}: found PV object ${name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
    );
  }
  if (claimRef.uid !== claim.metadata?.uid) {
    throw fault(
      `${subject}: found PV object ${name} but its pv.Spec.ClaimRef.UID ${claimRef.uid ?? ''} does not point to claim.UID ${claim.metadata?.uid ?? ''}`,
    );
  }
  const mode = found.spec?.volumeMode ?? 'Filesystem';
  if (mode !== 'Filesystem' && isUsedAsMount(pod, volume.name)) {
    throw fault(`volume ${volume.name} has volumeMode ${mode}, but is specified in volumeMounts`);
  }
  if (mode !== 'Block' && isUsedAsDevice(pod, volume.name)) {
    throw fault(`volume ${volume.name} has volumeMode ${mode}, but is specified in volumeDevices`);
  }
  return { volume: found, name, readOnly: reference.readOnly, mode };
}

async function fetchClaim(
  client: Pick<KubeClient, 'find'>,
  namespace: string,
  name: string,
  subject: string,
): Promise<V1PersistentVolumeClaim> {
  let claim: V1PersistentVolumeClaim | undefined;
  try {
    claim = await client.find(resources.persistentVolumeClaims, { namespace, name });
  } catch (error) {
    throw fault(`${subject}: failed to fetch PVC from API server: ${messageOf(error)}`, error);
  }
  if (!claim) {
    throw fault(`${subject}: failed to fetch PVC from API server: persistentvolumeclaims "${name}" not found`);
  }
  if (claim.metadata?.deletionTimestamp !== undefined) throw fault(`${subject}: PVC is being deleted`);
  if (claim.status?.phase !== 'Bound') throw fault(`${subject}: PVC is not bound`);
  if (!claim.spec?.volumeName) throw fault(`${subject}: PVC has empty pvc.Spec.VolumeName`);
  return claim;
}

function isControlledBy(claim: V1PersistentVolumeClaim, pod: V1Pod): boolean {
  const owners = claim.metadata?.ownerReferences ?? [];
  return owners.some((owner) => owner.controller === true && owner.uid === pod.metadata?.uid);
}

function fault(text: string, cause?: unknown): HyperupError {
  return new HyperupError('InvalidConfig', text, { cause });
}
