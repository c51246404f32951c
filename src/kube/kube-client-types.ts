import type { ApiResponse, ApiTransportOptions } from './api-transport.js';
import type { KubeList, KubeObject, VersionInfo } from './objects.js';
import type { ObjectKey, ResourceRef } from './resource-ref.js';
import type { WatchEvent } from './watch-events.js';

export type KubeClientOptions = ApiTransportOptions;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface Selection {
  /** All namespaces where undefined. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends CallOptions, Selection {
  /** Objects a page; the rest is at `metadata.continue`. */
  readonly limit?: number | undefined;
  readonly continueToken?: string | undefined;
  /** `0` lets the server answer from its cache. */
  readonly resourceVersion?: string | undefined;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string | undefined;
  /** The server ends the watch after so long; default 300. */
  readonly timeoutSeconds?: number | undefined;
  /** Default true. */
  readonly bookmarks?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly subresource?: string | undefined;
  readonly fieldManager?: string | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take over fields that another manager owns, instead of `Conflict`. Default false. */
  readonly force?: boolean | undefined;
}

/** A patch in one of the three forms; `strategic` only for built-in kinds. */
export type KubePatch =
  | { readonly type: 'merge'; readonly body: unknown }
  | { readonly type: 'strategic'; readonly body: unknown }
  | { readonly type: 'json'; readonly body: readonly JsonPatchStep[] };

/** RFC 6902. */
export interface JsonPatchStep {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

export interface DeleteOptions extends CallOptions {
  /** 0 deletes at once, without waiting for the kubelet. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  /** Delete only this very object, not a later one of the same name. */
  readonly uid?: string | undefined;
}

export interface LogOptions extends CallOptions {
  readonly container?: string | undefined;
  /** The container before the last restart. */
  readonly previous?: boolean | undefined;
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  readonly limitBytes?: number | undefined;
  readonly timestamps?: boolean | undefined;
}

export interface TokenRequest {
  readonly audiences?: readonly string[] | undefined;
  readonly expirationSeconds?: number | undefined;
  /** The pod that the token is bound to, so that it ends with it. */
  readonly boundPod?: { readonly name: string; readonly uid: string } | undefined;
}

export interface RawOptions extends CallOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | undefined;
  readonly body?: unknown;
  readonly accept?: string | undefined;
}

/**
 * A client of one API server; owned by the caller, who closes it. Calls may run at once. Every call throws
 * `NotFound`, `AlreadyExists`, `Conflict`, `PermissionDenied`, `Timeout` or `ApiFailed` with `details.reason`
 * (see `statusError` and `transportError`), or `Aborted`.
 */
export interface KubeClient {
  get<T>(ref: ResourceRef<T>, key: ObjectKey, options?: WriteOptions): Promise<T>;
  /** Undefined where there is no such object. */
  find<T>(ref: ResourceRef<T>, key: ObjectKey, options?: CallOptions): Promise<T | undefined>;
  list<T>(ref: ResourceRef<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** All pages; `metadata` is the last page's. A continue token that expires midway restarts as one whole list. */
  listAll<T>(ref: ResourceRef<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** apiVersion and kind are filled in; the namespace is the object's, or `default`. */
  create<T extends KubeObject>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  update<T extends KubeObject>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: KubePatch, options?: WriteOptions): Promise<T>;
  /** Server-side apply: creates or merges; idempotent. */
  apply<T extends KubeObject>(ref: ResourceRef<T>, object: T, options: ApplyOptions): Promise<T>;
  /** False where it was not there. True says that deletion has begun, not that it is over. */
  delete(ref: ResourceRef<unknown>, key: ObjectKey, options?: DeleteOptions): Promise<boolean>;
  /** Any path (`/readyz`, `/version`, a Service's proxy): the answer, whatever its status. */
  raw(path: string, options?: RawOptions): Promise<ApiResponse>;
  version(options?: CallOptions): Promise<VersionInfo>;
  /** The request starts with the first `next()`. To stop from outside use the signal, which makes it throw `Aborted`. */
  watch<T>(ref: ResourceRef<T>, options?: WatchOptions): AsyncGenerator<WatchEvent<T>>;
  readLog(pod: ObjectKey, options?: LogOptions): Promise<string>;
  /** Line by line until the container ends or the signal fires (`Aborted`). */
  followLog(pod: ObjectKey, options?: LogOptions): AsyncGenerator<string>;
  /** Deletes as a disruption budget allows: `ApiFailed`, reason `TooManyRequests`, where it doesn't. */
  evict(pod: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** A token of a service account, and when it ends (RFC 3339). */
  createToken(
    serviceAccount: ObjectKey,
    request?: TokenRequest,
    options?: CallOptions,
  ): Promise<{ readonly token: string; readonly expirationTimestamp: string }>;
  /** Ends every call and watch with `Aborted`. */
  close(): Promise<void>;
}
