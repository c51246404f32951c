/** An object as the fake keeps it. */
export interface StoredObject {
  apiVersion?: string;
  kind?: string;
  metadata: Record<string, unknown> & { name: string; namespace?: string; resourceVersion: string; uid: string };
  status?: unknown;
  [field: string]: unknown;
}

export interface StoredEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly object: StoredObject;
}

/** What an API path addresses: `collection` is prefix and plural, the namespace apart. */
export interface Target {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** Undefined where the path is no resource's. */
export function parsePath(path: string): Target | undefined {
  const match = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/(.+)$/.exec(path);
  if (!match) return undefined;
  const parts = (match[2] ?? '').split('/').map(decodeURIComponent);
  const namespaced = parts[0] === 'namespaces' && parts.length > 2;
  const namespace = namespaced ? parts[1] : undefined;
  const [plural, name, ...rest] = namespaced ? parts.slice(2) : parts;
  return {
    collection: `${match[1]}/${plural}`,
    namespace,
    name,
    subresource: rest.length > 0 ? rest.join('/') : undefined,
  };
}

/** Objects with resource versions and a history, as etcd holds them. */
export class FakeStore {
  version = 100;
  /** Watches from before this version get 410. */
  compactedBefore = 0;
  readonly history: StoredEvent[] = [];
  private readonly objects = new Map<string, StoredObject>();
  private readonly listeners = new Set<(event: StoredEvent) => void>();

  private key(target: Target, name: string): string {
    return `${target.collection}|${target.namespace ?? ''}|${name}`;
  }

  get(target: Target): StoredObject | undefined {
    return this.objects.get(this.key(target, target.name ?? ''));
  }

  list(target: Target): StoredObject[] {
    return [...this.objects]
      .filter(([key]) =>
        key.startsWith(`${target.collection}|${target.namespace === undefined ? '' : `${target.namespace}|`}`),
      )
      .map(([, object]) => object);
  }

  put(target: Target, body: StoredObject): StoredObject {
    const key = this.key(target, body.metadata.name);
    const before = this.objects.get(key);
    this.version += 1;
    const object: StoredObject = {
      ...body,
      metadata: {
        ...body.metadata,
        ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
        uid: before?.metadata.uid ?? `uid-${this.version}`,
        resourceVersion: String(this.version),
      },
    };
    this.objects.set(key, object);
    this.publish(before ? 'MODIFIED' : 'ADDED', target, object);
    return object;
  }

  remove(target: Target): StoredObject | undefined {
    const key = this.key(target, target.name ?? '');
    const before = this.objects.get(key);
    if (!before) return undefined;
    this.objects.delete(key);
    this.version += 1;
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.version) } };
    this.publish('DELETED', target, object);
    return object;
  }

  private publish(type: StoredEvent['type'], target: Target, object: StoredObject): void {
    const { collection, namespace } = target;
    const event: StoredEvent = { type, version: this.version, collection, namespace, object };
    this.history.push(event);
    for (const listener of this.listeners) listener(event);
  }

  subscribe(listener: (event: StoredEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}
