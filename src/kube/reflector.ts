import type { Clock } from '../base/clock.js';
import { isHyperupError, messageOf } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { isExpired, isUnreachable } from './api-errors.js';
import { createBackoff } from './backoff.js';
import type { KubeClient, Selection } from './kube-client-types.js';
import type { KubeObject } from './objects.js';
import type { ResourceRef } from './resource-ref.js';

/** What a reflector reports: the whole collection after a list, then one change after another. */
export type ReflectorChange<T> =
  | { readonly type: 'replaced'; readonly objects: readonly T[] }
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: T };

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  readonly client: Pick<KubeClient, 'listAll' | 'watch'>;
  readonly resource: ResourceRef<T>;
  /** Called in order and never at once; what it throws is logged and the reflector goes on. */
  readonly onChange: (change: ReflectorChange<T>) => void;
  readonly clock: Clock;
  /** From 0 to 1; spreads back-off and watch ends. */
  readonly random?: (() => number) | undefined;
  readonly logger?: Logger | undefined;
}

export interface Reflector {
  /** Resolves after the first list was reported; never where `stop` came first. */
  readonly synced: Promise<void>;
  /** Ends the watch; resolves when nothing more will be reported. */
  stop(): Promise<void>;
}

/**
 * Keeps a collection known: lists it, watches from there, and lists again when the server has forgotten the resource
 * version (410) or says something else that resuming won't mend. A broken connection resumes where it broke. Starts at
 * once and goes on until stopped, with back-off from 0.8 to 30 s (client-go v0.20 `tools/cache/reflector.go`).
 */
export function startReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { client, resource, clock, onChange, random = Math.random, logger = silentLogger } = options;
  const { namespace, labelSelector, fieldSelector } = options;
  const selection = { namespace, labelSelector, fieldSelector };
  const controller = new AbortController();
  const { signal } = controller;
  const backoff = createBackoff({ initialMs: 800, maxMs: 30_000, random });
  let markSynced = () => {};
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  /** Where to watch from; undefined: list first. */
  let version: string | undefined;
  /** Only the first list may come from the server's cache: a later one from there could go back in time. */
  let fromCache = true;

  let expiredBefore = false;
  const succeed = () => {
    backoff.reset();
    expiredBefore = false;
  };

  const report = (change: ReflectorChange<T>) => {
    if (signal.aborted) return;
    try {
      onChange(change);
    } catch (error) {
      logger.error('Handler of a watched change failed', {
        kind: resource.kind,
        type: change.type,
        err: messageOf(error),
      });
    }
  };

  async function relist(): Promise<string> {
    const list = await client.listAll(resource, {
      ...selection,
      ...(fromCache ? { resourceVersion: '0' } : {}),
      signal,
    });
    fromCache = false;
    report({ type: 'replaced', objects: list.items });
    markSynced();
    return list.metadata.resourceVersion ?? '';
  }

  async function follow(from: string): Promise<void> {
    const startedMs = clock.monotonicMs();
    let events = 0;
    const timeoutSeconds = Math.round(300 * (1 + random()));
    for await (const event of client.watch(resource, { ...selection, resourceVersion: from, timeoutSeconds, signal })) {
      events += 1;
      succeed();
      version = event.object.metadata?.resourceVersion ?? version;
      if (event.type !== 'BOOKMARK') report({ type: changeTypes[event.type], object: event.object });
    }
    // A server that ends watches as soon as they begin must not be asked in a loop.
    if (events === 0 && clock.monotonicMs() - startedMs < 1000) throw new Error('the watch ended at once');
    succeed();
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        version ??= await relist();
        await follow(version);
      } catch (error) {
        if (signal.aborted) return;
        const expired = isExpired(error);
        if (!resumes(error)) version = undefined;
        if (expired) fromCache = false;
        // One 410 is nobody's fault: list again at once. One right after another is.
        const waitMs = expired && !expiredBefore ? 0 : backoff.nextMs();
        expiredBefore = expired;
        logger.debug('List and watch interrupted', { kind: resource.kind, waitMs, err: messageOf(error) });
        await clock.sleep(waitMs, signal).catch(() => {});
      }
    }
  }

  const done = run();
  return {
    synced,
    async stop() {
      controller.abort();
      await done;
    },
  };
}

const changeTypes = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

/** Failures after which the same resource version is still good. */
function resumes(error: unknown): boolean {
  return isUnreachable(error) || isHyperupError(error, 'Timeout') || !isHyperupError(error);
}
