import { posix } from 'node:path';
import { HyperupError } from '../../base/errors.js';
import type { V1ConfigMap, V1Secret } from '../../kube/objects.js';
import type { V1DownwardApiVolumeFile, V1KeyToPath, V1Pod } from '../../kube/pod-objects.js';
import { extractFieldPath, extractResourceValue } from '../pod/field-path.js';
import type { FileProjection } from './atomic-writer.js';

/** Where the API server didn't set one: pods from files. */
export const defaultFileMode = 0o644;

export interface KeyedSource {
  /** All keys, by their own names, where empty. */
  readonly items: readonly V1KeyToPath[] | undefined;
  readonly defaultMode: number;
  readonly optional: boolean;
}

export type Files = Map<string, FileProjection>;

/** The files of a config map, text before binary. Throws `NotFound` for a key that isn't there and not optional. */
export function configMapFiles(configMap: V1ConfigMap, source: KeyedSource): Files {
  const { data = {}, binaryData = {} } = configMap;
  const read = (key: string) => {
    if (Object.hasOwn(data, key)) return Buffer.from(data[key] ?? '', 'utf8');
    return Object.hasOwn(binaryData, key) ? Buffer.from(binaryData[key] ?? '', 'base64') : undefined;
  };
  const keys = [...Object.keys(data), ...Object.keys(binaryData)];
  return pick(keys, read, source, (key) => `configmap references non-existent config key: ${key}`);
}

/** The files of a secret. Throws `NotFound` for a key that isn't there and not optional. */
export function secretFiles(secret: V1Secret, source: KeyedSource): Files {
  const { data = {} } = secret;
  const read = (key: string) => (Object.hasOwn(data, key) ? Buffer.from(data[key] ?? '', 'base64') : undefined);
  return pick(Object.keys(data), read, source, (key) => `references non-existent secret key: ${key}`);
}

function pick(
  keys: readonly string[],
  read: (key: string) => Buffer | undefined,
  { items = [], defaultMode, optional }: KeyedSource,
  missing: (key: string) => string,
): Files {
  const files: Files = new Map();
  const wanted = items.length > 0 ? items : keys.map((key): V1KeyToPath => ({ key, path: key }));
  for (const { key, path, mode } of wanted) {
    const data = read(key);
    if (data) files.set(path, { data, mode: mode ?? defaultMode });
    else if (!optional) throw new HyperupError('NotFound', missing(key), { details: { key } });
  }
  return files;
}

/** What the downward API needs beside the pod. */
export interface DownwardFacts {
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
}

/** Fields of the pod as files, without a newline at the end. Throws what `extractFieldPath` and `extractResourceValue` throw. */
export function downwardFiles(
  pod: V1Pod,
  items: readonly V1DownwardApiVolumeFile[],
  defaultMode: number,
  facts: DownwardFacts,
): Files {
  const files: Files = new Map();
  for (const { path, fieldRef, resourceFieldRef, mode } of items) {
    const text = fieldRef
      ? extractFieldPath(pod, fieldRef.fieldPath, facts.hostIps, facts.podIps)
      : resourceFieldRef
        ? extractResourceValue(pod, resourceFieldRef, undefined, facts.allocatable)
        : '';
    files.set(posix.normalize(path), { data: Buffer.from(text, 'utf8'), mode: mode ?? defaultMode });
  }
  return files;
}

/**
 * The one user that all containers run as by the pod's specification, if there is one (v1.20 `FsUserFrom`): a projected
 * token belongs to it.
 */
export function fsUserOf(pod: V1Pod): number | undefined {
  const ofPod = pod.spec?.securityContext?.runAsUser;
  const users = new Set<number | undefined>();
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    users.add(container.securityContext?.runAsUser ?? ofPod);
  }
  const [user] = users;
  return users.size === 1 ? user : undefined;
}
