import { createHash } from 'node:crypto';
import { chmod, readlink, stat, symlink, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { errnoOf, HyperupError, messageOf } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import type { V1Pod, V1Volume, V1VolumeProjection } from '../../kube/pod-objects.js';
import type { ObjectCache, PodUid } from '../types.js';
import { type Payload, writeAtomically } from './atomic-writer.js';
import { type Mounter, mountAt } from './mounter.js';
import { makeNestedMountPoints } from './nested-mount-points.js';
import { setOwnership } from './ownership.js';
import {
  configMapFiles,
  type DownwardFacts,
  defaultFileMode,
  downwardFiles,
  type Files,
  fsUserOf,
  type KeyedSource,
  secretFiles,
} from './payloads.js';
import type { Tokens } from './tokens.js';
import type { VolumeLayout } from './volume-layout.js';
import type { VolumePlan } from './volume-plan.js';

export interface FileVolumesOptions {
  readonly layout: VolumeLayout;
  readonly mounter: Mounter;
  readonly objects: Pick<ObjectCache, 'configMap' | 'secret'>;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly downwardFacts: (uid: PodUid) => DownwardFacts;
}

/** Volumes whose files the kubelet writes: config maps, secrets, the pod's own fields, and all of them in one. */
export interface FileVolumes {
  /**
   * Renders the volume as its sources are now; gives what it rendered, as a hash. Nothing is written where that is
   * `known`. One call a volume at a time. Throws `NotFound` for a source that isn't there, and what else went wrong;
   * what was there before stays then.
   */
  render(pod: V1Pod, uid: PodUid, volume: V1Volume, plan: FilesPlan, known: string | undefined): Promise<string>;
}

type FilesPlan = Extract<VolumePlan, { kind: 'files' }>;

export function createFileVolumes(options: FileVolumesOptions): FileVolumes {
  const { layout, mounter, objects, tokens, clock, downwardFacts } = options;
  let memory: Promise<void> | undefined;

  /** Secrets never touch a disk. Still mounted after a restart of the kubelet, empty after one of the machine. */
  async function mountMemory(): Promise<void> {
    const target = layout.memoryDir;
    if (mountAt(await mounter.mounts(), target)?.fsType === 'tmpfs') return;
    await makeFolder(target, 0o700);
    await mounter.mount({ source: 'tmpfs', target, fsType: 'tmpfs', options: ['mode=0700'] });
  }

  function ensureMemory(): Promise<void> {
    memory ??= mountMemory().catch((error: unknown) => {
      memory = undefined;
      throw error;
    });
    return memory;
  }

  async function configMap(namespace: string, name: string, source: KeyedSource): Promise<Files> {
    const found = await objects.configMap(namespace, name);
    if (!found && !source.optional) throw new HyperupError('NotFound', `configmap "${name}" not found`);
    return configMapFiles(found ?? {}, source);
  }

  async function secret(namespace: string, name: string, source: KeyedSource): Promise<Files> {
    const found = await objects.secret(namespace, name);
    if (!found && !source.optional) throw new HyperupError('NotFound', `secret "${name}" not found`);
    return secretFiles(found ?? {}, source);
  }

  async function collect(pod: V1Pod, uid: PodUid, volume: V1Volume): Promise<Payload> {
    const namespace = pod.metadata?.namespace ?? 'default';
    if (volume.configMap) {
      const { name = '', items, defaultMode = defaultFileMode, optional = false } = volume.configMap;
      return configMap(namespace, name, { items, defaultMode, optional });
    }
    if (volume.secret) {
      const { secretName = '', items, defaultMode = defaultFileMode, optional = false } = volume.secret;
      return secret(namespace, secretName, { items, defaultMode, optional });
    }
    if (volume.downwardAPI) {
      const { items = [], defaultMode = defaultFileMode } = volume.downwardAPI;
      return downwardFiles(pod, items, defaultMode, downwardFacts(uid));
    }
    const { sources = [], defaultMode = defaultFileMode } = volume.projected ?? {};
    const parts = await Promise.allSettled(sources.map((source) => project(pod, uid, source, defaultMode)));
    const failures = parts.filter((part) => part.status === 'rejected').map((part) => messageOf(part.reason));
    if (failures.length > 0) {
      throw new HyperupError('NotFound', failures.length === 1 ? `${failures[0]}` : `[${failures.join(', ')}]`);
    }
    // Later ones win.
    return new Map(parts.flatMap((part) => (part.status === 'fulfilled' ? [...part.value] : [])));
  }

  async function project(pod: V1Pod, uid: PodUid, source: V1VolumeProjection, defaultMode: number): Promise<Files> {
    const namespace = pod.metadata?.namespace ?? 'default';
    if (source.secret) {
      const { name = '', items, optional = false } = source.secret;
      return secret(namespace, name, { items, defaultMode, optional });
    }
    if (source.configMap) {
      const { name = '', items, optional = false } = source.configMap;
      return configMap(namespace, name, { items, defaultMode, optional });
    }
    if (source.downwardAPI) return downwardFiles(pod, source.downwardAPI.items ?? [], defaultMode, downwardFacts(uid));
    if (!source.serviceAccountToken) {
      throw new HyperupError('InvalidConfig', `projected source ${Object.keys(source).join(', ')} is not supported`);
    }
    const token = await tokens.get(pod, uid, source.serviceAccountToken);
    const fsUser = fsUserOf(pod);
    // With a group the ownership that follows makes it 0640.
    const owned = fsUser !== undefined || pod.spec?.securityContext?.fsGroup !== undefined;
    const file = { data: Buffer.from(token, 'utf8'), mode: owned ? 0o600 : defaultMode, fsUser };
    return new Map([[source.serviceAccountToken.path, file]]);
  }

  return {
    async render(pod, uid, volume, plan, known) {
      const payload = await collect(pod, uid, volume);
      const hash = hashOf(payload);
      if (hash === known) return hash;
      if (plan.place !== undefined) {
        await ensureMemory();
        await linkTo(plan.place, plan.path);
      }
      await makeFolder(plan.path, 0o750);
      if (((await stat(plan.path)).mode & 0o777) !== 0o777) await chmod(plan.path, 0o777);
      await makeNestedMountPoints(pod, plan.name, plan.path);
      const fsGroup = pod.spec?.securityContext?.fsGroup;
      await writeAtomically(plan.path, payload, {
        nowMs: clock.now(),
        beforeSwitch: fsGroup === undefined ? undefined : () => setOwnership(plan.path, { fsGroup, readOnly: true }),
      });
      return hash;
    },
  };
}

function hashOf(payload: Payload): string {
  const hash = createHash('sha256');
  for (const [path, { data, mode, fsUser }] of payload) {
    hash.update(`${path}\0${mode}\0${fsUser ?? ''}\0${data.byteLength}\0`).update(data);
  }
  return hash.digest('base64');
}

async function linkTo(place: string, target: string): Promise<void> {
  await makeFolder(dirname(place), 0o750);
  try {
    await symlink(target, place);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if ((await readlink(place)) === target) return;
    await unlink(place);
    await symlink(target, place);
  }
}
