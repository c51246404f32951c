import { HyperupError, isHyperupError } from '../base/errors.js';
import { isExpired } from './api-errors.js';
import { createApiTransport } from './api-transport.js';
import { splitLines } from './json-lines.js';
import type {
  CallOptions,
  DeleteOptions,
  KubeClient,
  KubeClientOptions,
  ListOptions,
  LogOptions,
  WatchOptions,
} from './kube-client-types.js';
import type { KubeList, KubeObject } from './objects.js';
import { keyOf, type ResourceRef, resourcePath, resources } from './resource-ref.js';
import { readWatchEvents } from './watch-events.js';

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/** Makes a client; nothing is connected before the first call. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const transport = createApiTransport(options);

  async function json<T>(request: Parameters<typeof transport.call>[0]): Promise<T> {
    const { text } = await transport.call(request);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const got = JSON.stringify(text.slice(0, 80));
      throw new HyperupError('ApiFailed', `${request.action}: got ${got}, want JSON`, {
        cause: error,
        details: { reason: 'Malformed' },
      });
    }
  }

  const client: KubeClient = {
    get: (ref, key, call) =>
      json({
        ...limits(call),
        action: says('get', ref, key),
        method: 'GET',
        path: resourcePath(ref, key, call?.subresource),
      }),
    async find(ref, key, call) {
      try {
        return await client.get(ref, key, call);
      } catch (error) {
        if (isHyperupError(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    async list<T>(ref: ResourceRef<T>, list: ListOptions = {}) {
      const answer = await json<KubeList<T>>({
        ...limits(list),
        action: says('list', ref, list),
        method: 'GET',
        path: resourcePath(ref, { namespace: list.namespace }),
        query: {
          labelSelector: list.labelSelector,
          fieldSelector: list.fieldSelector,
          limit: list.limit,
          continue: list.continueToken,
          resourceVersion: list.resourceVersion,
        },
      });
      // Go writes an empty list as null.
      return { ...answer, items: (answer.items as readonly T[] | null) ?? [] };
    },
    async listAll<T>(ref: ResourceRef<T>, list: ListOptions = {}) {
      const items: T[] = [];
      let page = await client.list(ref, { limit: 500, ...list });
      items.push(...page.items);
      while (page.metadata.continue) {
        try {
          // A continue token has its own resource version; naming one beside it is an error.
          const next = { limit: 500, ...list, resourceVersion: undefined, continueToken: page.metadata.continue };
          page = await client.list(ref, next);
        } catch (error) {
          if (!isExpired(error)) throw error;
          return await client.list(ref, { ...list, limit: undefined });
        }
        items.push(...page.items);
      }
      return { ...page, items };
    },
    create: (ref, object, write) =>
      json({
        ...limits(write),
        action: says('create', ref, { ...object.metadata }),
        method: 'POST',
        path: resourcePath(
          ref,
          { namespace: namespaceOf(object), ...(write?.subresource ? keyOf(object) : {}) },
          write?.subresource,
        ),
        query: { fieldManager: write?.fieldManager },
        body: typed(ref, object),
      }),
    update: (ref, object, write) =>
      json({
        ...limits(write),
        action: says('update', ref, keyOf(object)),
        method: 'PUT',
        path: resourcePath(ref, { ...keyOf(object), namespace: namespaceOf(object) }, write?.subresource),
        query: { fieldManager: write?.fieldManager },
        body: typed(ref, object),
      }),
    patch: (ref, key, patch, write) =>
      json({
        ...limits(write),
        action: says('patch', ref, key),
        method: 'PATCH',
        path: resourcePath(ref, key, write?.subresource),
        query: { fieldManager: write?.fieldManager },
        contentType: patchTypes[patch.type],
        body: patch.body,
      }),
    apply: (ref, object, apply) =>
      json({
        ...limits(apply),
        action: says('apply', ref, keyOf(object)),
        method: 'PATCH',
        path: resourcePath(ref, { ...keyOf(object), namespace: namespaceOf(object) }, apply.subresource),
        query: { fieldManager: apply.fieldManager, force: apply.force ?? false },
        // JSON is YAML, and of the two only this name exists for it.
        contentType: 'application/apply-patch+yaml',
        body: typed(ref, object),
      }),
    async delete(ref, key, remove) {
      try {
        await transport.call({
          ...limits(remove),
          action: says('delete', ref, key),
          method: 'DELETE',
          path: resourcePath(ref, key),
          body: deleteBody(remove),
        });
        return true;
      } catch (error) {
        if (isHyperupError(error, 'NotFound')) return false;
        throw error;
      }
    },
    raw: (path, raw) =>
      transport.exchange({
        ...limits(raw),
        action: `call ${path}`,
        method: raw?.method ?? 'GET',
        path,
        body: raw?.body,
        accept: raw?.accept ?? '*/*',
        retries: 0,
      }),
    version: (call) => json({ ...limits(call), action: 'get version', method: 'GET', path: '/version' }),
    async *watch<T>(ref: ResourceRef<T>, watch: WatchOptions = {}) {
      const action = says('watch', ref, watch);
      const timeoutSeconds = watch.timeoutSeconds ?? 300;
      const stream = await transport.stream(
        {
          action,
          method: 'GET',
          path: resourcePath(ref, { namespace: watch.namespace }),
          signal: watch.signal,
          query: {
            watch: true,
            allowWatchBookmarks: watch.bookmarks ?? true,
            resourceVersion: watch.resourceVersion,
            timeoutSeconds,
            labelSelector: watch.labelSelector,
            fieldSelector: watch.fieldSelector,
          },
        },
        // The server ends it in time; this is for a connection that died without a word.
        (timeoutSeconds + 30) * 1000,
      );
      yield* readWatchEvents<T>(action, stream);
    },
    async readLog(pod, log) {
      const request = { action: says('read log of', resources.pods, pod), method: 'GET', accept: '*/*' } as const;
      const path = resourcePath(resources.pods, pod, 'log');
      return (await transport.call({ ...request, ...limits(log), path, query: logQuery(log, false) })).text;
    },
    async *followLog(pod, log) {
      const request = { action: says('follow log of', resources.pods, pod), method: 'GET', accept: '*/*' } as const;
      const path = resourcePath(resources.pods, pod, 'log');
      const stream = await transport.stream({ ...request, ...limits(log), path, query: logQuery(log, true) });
      try {
        for await (const line of splitLines(stream.body)) yield line.text;
      } catch (error) {
        throw stream.failure(error);
      } finally {
        stream.end();
      }
    },
    async evict(pod, remove) {
      await transport.call({
        ...limits(remove),
        action: says('evict', resources.pods, pod),
        method: 'POST',
        path: resourcePath(resources.pods, pod, 'eviction'),
        body: {
          apiVersion: 'policy/v1beta1',
          kind: 'Eviction',
          metadata: { name: pod.name, namespace: pod.namespace },
          deleteOptions: deleteBody(remove),
        },
        // Here 429 is the answer (a disruption budget), not a request for patience.
        retries: 0,
      });
    },
    async createToken(account, request, call) {
      const { boundPod } = request ?? {};
      const answer = await json<{ status: { token: string; expirationTimestamp: string } }>({
        ...limits(call),
        action: says('create token of', resources.serviceAccounts, account),
        method: 'POST',
        path: resourcePath(resources.serviceAccounts, account, 'token'),
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            audiences: request?.audiences ?? [],
            expirationSeconds: request?.expirationSeconds,
            ...(boundPod ? { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...boundPod } } : {}),
          },
        },
      });
      return answer.status;
    },
    close: () => transport.close(),
  };
  return client;
}

function limits(options: CallOptions | undefined): CallOptions {
  return { signal: options?.signal, timeoutMs: options?.timeoutMs };
}

function namespaceOf(object: KubeObject): string {
  return object.metadata?.namespace ?? 'default';
}

function typed<T extends KubeObject>(ref: ResourceRef<T>, object: T): T {
  return { apiVersion: ref.apiVersion, kind: ref.kind, ...object };
}

function says(
  verb: string,
  ref: ResourceRef<unknown>,
  key: { namespace?: string | undefined; name?: string | undefined },
) {
  const place = [ref.namespaced ? key.namespace : undefined, key.name].filter((part) => part !== undefined).join('/');
  return `${verb} ${key.name === undefined ? ref.plural : ref.kind}${place === '' ? '' : ` ${place}`}`;
}

function deleteBody(options: DeleteOptions = {}) {
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: options.gracePeriodSeconds,
    propagationPolicy: options.propagationPolicy,
    ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
  };
}

function logQuery(options: LogOptions = {}, follow: boolean) {
  return {
    follow: follow || undefined,
    container: options.container,
    previous: options.previous || undefined,
    tailLines: options.tailLines,
    sinceSeconds: options.sinceSeconds,
    limitBytes: options.limitBytes,
    timestamps: options.timestamps || undefined,
  };
}
