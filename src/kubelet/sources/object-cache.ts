import type { Clock } from '../../base/clock.js';
import { isHyperupError, messageOf } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1ConfigMap, V1Secret } from '../../kube/objects.js';
import { type Reflector, type ReflectorChange, startReflector } from '../../kube/reflector.js';
import { type ResourceRef, resources } from '../../kube/resource-ref.js';
import { podUidOf } from '../pod/pod-names.js';
import type { ObjectCache, PodUid } from '../types.js';
import { type CachedKind, objectReferencesOf } from './object-references.js';

export interface ObjectCacheOptions {
  readonly client: Pick<KubeClient, 'find' | 'listAll' | 'watch'>;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly random?: (() => number) | undefined;
}

/** Told that an object was changed, made or deleted, and which registered pods name it. */
export type ObjectListener = (kind: CachedKind, namespace: string, name: string, podUids: readonly PodUid[]) => void;

export interface RunningObjectCache extends ObjectCache {
  /** Not called for what a first read finds. Gives what ends it. */
  onChange(listener: ObjectListener): () => void;
  /** Ends all watches; resolves when none is left. */
  stop(): Promise<void>;
}

type CachedObject = V1ConfigMap | V1Secret;

interface Entry {
  readonly kind: CachedKind;
  readonly namespace: string;
  readonly name: string;
  readonly pods: Set<PodUid>;
  value: CachedObject | undefined;
  reading: Promise<CachedObject | undefined> | undefined;
  reflector: Reflector | undefined;
}

/**
 * The node authorizer learns of a pod's references some moments after the kubelet learns of the pod: a refusal right
 * then is no answer.
 */
const refusalWaitsMs = [100, 200, 400, 600, 700];

/**
 * Config maps and secrets by name, the only way that the node authorizer allows. The first read asks the server, and a
 * watch keeps what it found while a registered pod names it; all pods share one watch an object. That something doesn't
 * exist is never remembered. What no registered pod names is asked for each time (v1.20 `kubelet/util/manager/
 * watch_based_manager.go`).
 */
export function createObjectCache(options: ObjectCacheOptions): RunningObjectCache {
  const { client, clock, random, logger = silentLogger } = options;
  const entries = new Map<string, Entry>();
  const referencesOf = new Map<PodUid, ReadonlySet<string>>();
  const listeners = new Set<ObjectListener>();
  const closing = new Set<Promise<void>>();
  const controller = new AbortController();
  const { signal } = controller;

  const isLive = (entry: Entry) => entries.get(keyOf(entry)) === entry && !signal.aborted;

  async function ask(entry: Pick<Entry, 'kind' | 'namespace' | 'name'>): Promise<CachedObject | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await client.find(resourceOf(entry.kind), entry, { signal });
      } catch (error) {
        const waitMs = refusalWaitsMs[attempt];
        if (!isHyperupError(error, 'PermissionDenied') || waitMs === undefined) throw error;
        await clock.sleep(waitMs, signal);
      }
    }
  }

  async function readFirst(entry: Entry): Promise<CachedObject | undefined> {
    const value = await ask(entry);
    if (!isLive(entry)) return value;
    if (value && isNewer(value, entry.value)) entry.value = value;
    if (value?.immutable !== true) watch(entry);
    return value;
  }

  async function read(kind: CachedKind, namespace: string, name: string): Promise<CachedObject | undefined> {
    const entry = entries.get(keyOf({ kind, namespace, name }));
    if (entry === undefined) return await ask({ kind, namespace, name });
    if (entry.value !== undefined) return entry.value;
    entry.reading ??= readFirst(entry).finally(() => {
      entry.reading = undefined;
    });
    return await entry.reading;
  }

  function watch(entry: Entry): void {
    const { kind, namespace, name } = entry;
    entry.reflector ??= startReflector<CachedObject>({
      client,
      resource: resourceOf(kind),
      namespace,
      fieldSelector: `metadata.name=${name}`,
      clock,
      random,
      logger,
      onChange: (change) => {
        if (isLive(entry)) onWatched(entry, change);
      },
    });
  }

  function onWatched(entry: Entry, change: ReflectorChange<CachedObject>): void {
    if (change.type === 'deleted') {
      entry.value = undefined;
      tell(entry);
      return;
    }
    const found = change.type === 'replaced' ? change.objects[0] : change.object;
    if (found === undefined) {
      // The first list comes from the server's cache, which may not have yet what we were given already.
      if (entry.value !== undefined) verify(entry);
      return;
    }
    if (!isNewer(found, entry.value)) return;
    entry.value = found;
    if (found.immutable === true) endWatch(entry);
    tell(entry);
  }

  function verify(entry: Entry): void {
    const known = entry.value;
    ask(entry).then(
      (value) => {
        if (!isLive(entry) || entry.value !== known || value !== undefined) return;
        entry.value = undefined;
        tell(entry);
      },
      (error) => logger.debug('Object not verified', { kind: entry.kind, name: entry.name, err: messageOf(error) }),
    );
  }

  function tell({ kind, namespace, name, pods }: Entry): void {
    for (const listener of [...listeners]) listener(kind, namespace, name, [...pods]);
  }

  function endWatch(entry: Entry): void {
    const { reflector } = entry;
    entry.reflector = undefined;
    if (reflector === undefined) return;
    const ended = reflector.stop().finally(() => closing.delete(ended));
    closing.add(ended);
  }

  function dropReference(key: string, uid: PodUid): void {
    const entry = entries.get(key);
    entry?.pods.delete(uid);
    if (entry === undefined || entry.pods.size > 0) return;
    entries.delete(key);
    endWatch(entry);
  }

  return {
    registerPod(pod) {
      if (signal.aborted) return;
      const uid = podUidOf(pod);
      const namespace = pod.metadata?.namespace ?? 'default';
      const before = referencesOf.get(uid);
      const keys = new Set<string>();
      for (const { kind, name } of objectReferencesOf(pod)) {
        const key = keyOf({ kind, namespace, name });
        keys.add(key);
        const entry = entries.get(key);
        if (entry) entry.pods.add(uid);
        else {
          const pods = new Set([uid]);
          entries.set(key, { kind, namespace, name, pods, value: undefined, reading: undefined, reflector: undefined });
        }
      }
      referencesOf.set(uid, keys);
      for (const key of before ?? []) if (!keys.has(key)) dropReference(key, uid);
    },
    unregisterPod(uid) {
      const keys = referencesOf.get(uid);
      referencesOf.delete(uid);
      for (const key of keys ?? []) dropReference(key, uid);
    },
    configMap: (namespace, name) => read('ConfigMap', namespace, name) as Promise<V1ConfigMap | undefined>,
    secret: (namespace, name) => read('Secret', namespace, name) as Promise<V1Secret | undefined>,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      controller.abort();
      for (const entry of entries.values()) endWatch(entry);
      entries.clear();
      referencesOf.clear();
      await Promise.all(closing);
    },
  };
}

function keyOf({ kind, namespace, name }: Pick<Entry, 'kind' | 'namespace' | 'name'>): string {
  return `${kind}/${namespace}/${name}`;
}

function resourceOf(kind: CachedKind): ResourceRef<CachedObject> {
  return kind === 'ConfigMap' ? resources.configMaps : resources.secrets;
}

/** Whether it says something else than what is known, and isn't from before it. */
function isNewer(found: CachedObject, known: CachedObject | undefined): boolean {
  const [version, before] = [found, known].map((object) => object?.metadata?.resourceVersion);
  if (version === undefined || before === undefined) return true;
  return version !== before && !(Number(version) < Number(before));
}
