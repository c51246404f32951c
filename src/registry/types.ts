import type { Readable } from 'node:stream';

/** What a manifest says of a piece of content (OCI image-spec 1.1, "Content Descriptors"). Sizes in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:<hex>`; `sha512` too. */
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly artifactType?: string | undefined;
  /** Of layers that are not to be distributed (`foreign`). */
  readonly urls?: readonly string[] | undefined;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** A manifest or index as its bytes: they are what the digest is of, so they are never formatted anew. */
export interface ManifestContent {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

/** From `start` on, `length` bytes or (undefined) all the rest. */
export interface ByteRange {
  readonly start: number;
  readonly length?: number | undefined;
}

/** A blob, or a range of it, on its way. Whoever gets it reads `body` to its end or destroys it. Not verified yet. */
export interface BlobStream {
  /** The first byte's place in the blob: 0 where the registry ignored the range. */
  readonly start: number;
  /** Of the whole blob; undefined where the registry doesn't say. */
  readonly totalSize: number | undefined;
  /** Fails with a HyperupError: `RegistryFailed`, `Timeout` (nothing came for the host's limit), `Aborted`. */
  readonly body: Readable;
  /** Who served it, after redirects. */
  readonly servedBy: string;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An upload that has begun; its registry keeps what it has got, so a later process may go on with it. */
export interface BlobUpload {
  /** The session's URL: enough to go on with `resumeUpload`. Changes with each request. */
  readonly location: string;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** Sends the next `length` bytes in one PATCH. Rejects leaving the session usable where the registry keeps it. */
  append(body: Readable, length: number, options?: RequestOptions): Promise<void>;
  /**
   * Closes the upload, where `rest` is given with what the registry lacks; the registry checks the digest.
   * `DigestMismatch` where it says that it isn't that. With a `rest` it isn't tried again (but after a 429): some of it may
   * be there.
   */
  finish(digest: string, options?: RequestOptions & { readonly rest?: Buffer | undefined }): Promise<void>;
  /** Gives the session up; never rejects. */
  cancel(): Promise<void>;
}

/**
 * One registry, by the OCI distribution specification 1.1 and Docker's schema 2. Repositories are paths such as
 * `library/busybox`. Tokens and credentials are found, asked for and renewed within; 429 and 503 are waited out
 * (`Retry-After`, jitter) within bounds. Errors: `NotFound` where get methods find nothing, `PermissionDenied` (401,
 * 403, with what the registry said), `RegistryFailed` (details: `{ kind, status, host }`, where `kind` is a
 * `FailureKind`), `DigestMismatch`, `Timeout`, `Aborted`.
 */
export interface RegistryClient {
  /** `HOST[:PORT]`, as references say it. */
  readonly host: string;
  /** Asks `/v2/`: answers, and is a registry. */
  ping(options?: RequestOptions): Promise<void>;
  /** By tag or digest; the bytes' digest is checked against the one asked for and the one that the registry promised. */
  getManifest(path: string, tagOrDigest: string, options?: RequestOptions): Promise<ManifestContent>;
  /** Undefined where there is none. */
  headManifest(path: string, tagOrDigest: string, options?: RequestOptions): Promise<Descriptor | undefined>;
  putManifest(path: string, tagOrDigest: string, manifest: ManifestContent, options?: RequestOptions): Promise<void>;
  /** `range` is asked for by `Range`; see `BlobStream.start` for registries that ignore it. */
  getBlob(path: string, digest: string, range?: ByteRange, options?: RequestOptions): Promise<BlobStream>;
  /** Size in bytes; undefined where there is none. */
  headBlob(path: string, digest: string, options?: RequestOptions): Promise<{ readonly size: number } | undefined>;
  /** `mounted` where the registry took the blob over from its repository `mountFrom` at once. */
  startUpload(
    path: string,
    mount?: { readonly from: string; readonly digest: string },
    options?: RequestOptions,
  ): Promise<BlobUpload | 'mounted'>;
  /** Undefined where the registry has forgotten the session, or the URL isn't this registry's. */
  resumeUpload(location: string, options?: RequestOptions): Promise<BlobUpload | undefined>;
  /** All pages. */
  listTags(path: string, options?: RequestOptions): Promise<readonly string[]>;
  /** By the referrers API, else by the fallback tag; empty where there are none. */
  listReferrers(path: string, digest: string, options?: RequestOptions): Promise<readonly Descriptor[]>;
  close(): Promise<void>;
}

/** Why a registry can't serve, for tables and for the choice among mirrors. */
export type FailureKind =
  | 'dns'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'broken'
  | 'tls'
  | 'proxy'
  | 'notRegistry'
  | 'notFound'
  | 'login'
  | 'rateLimited'
  | 'status'
  | 'digest';

export interface RegistryClientsOptions {
  /** One client a host, made when first asked for. */
  readonly proxies: ProxySettings;
  /** PEM files' contents beside the system's, for all hosts. */
  readonly extraCas: readonly string[];
  /** Hosts that may speak plain HTTP or show any certificate, as the engine's `insecure-registries`; loopback is always one. */
  readonly isInsecure: (host: string) => boolean | Promise<boolean>;
  readonly credentials: CredentialStore;
  /** How long a connection may take, and how long an answer or a body may be silent, milliseconds. */
  readonly connectTimeoutMs: number;
  readonly silenceMs: number;
}

/** As HTTP_PROXY, HTTPS_PROXY and NO_PROXY have it; empty: none. */
export interface ProxySettings {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Docker's config file and its credential helpers. Secrets stay out of logs and errors. */
export interface CredentialStore {
  /** Undefined where there are none; rejects with `InvalidConfig` where the file or helper can't be read. */
  find(host: string): Promise<Credentials | undefined>;
}

export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identityToken'; readonly token: string };

/** Clients by host, sharing settings; `close` ends their connections. */
export interface RegistryClients {
  clientFor(host: string, scheme?: 'http' | 'https' | undefined): RegistryClient;
  close(): Promise<void>;
}
