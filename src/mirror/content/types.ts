import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { ImageEngine } from '../../docker/types.js';
import type { BlobStream, ByteRange, Descriptor, ManifestContent, RegistryClients } from '../../registry/types.js';

/** What readers and writers of the transports work with; the caller owns and closes all of it. */
export interface ContentDeps {
  /** For `docker-daemon:`. */
  readonly engine?: ImageEngine | undefined;
  /** For `docker://`. */
  readonly registries?: RegistryClients | undefined;
  /** A folder for spool files; made where it is absent. What is put there goes at `close`, `commit` or `abort`. */
  readonly tmpDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** One place that a blob can be had from by ranges: a repository of a registry. */
export interface BlobOrigin {
  /** As the user named it; for progress, reports and errors. */
  readonly name: string;
  readonly host: string;
  open(digest: string, range: ByteRange, signal: AbortSignal): Promise<BlobStream>;
}

/** Where bytes came from, for the screen and for `--json`. */
export interface FetchedFrom {
  readonly origin: string;
  readonly bytes: number;
}

export interface FetchBlobRequest {
  readonly blob: Descriptor;
  /** At least one; the first is the user's favourite, measurements decide. */
  readonly origins: readonly BlobOrigin[];
  /**
   * Where the blob is built up; what an earlier, even killed, process left there (with its notes beside it) is gone on
   * with. On success it has been renamed to `path` and synced; a wrong one is never there. Undefined, for short blobs: in
   * memory, and `onPrefix` gets it.
   */
  readonly path: string | undefined;
  /**
   * Called with bytes as they come in order from the blob’s start, before the digest is known to be right; for targets
   * that stream. A chunk may be lent: who keeps it holds it (`base/block-pool`).
   */
  readonly onPrefix?: ((chunk: Buffer) => void | Promise<void>) | undefined;
  /**
   * What `onPrefix` was given came out wrong and it begins anew from the blob's start, from other origins. Where this is
   * absent, a fetch with `onPrefix` rejects with `DigestMismatch` then; the next one asks the other origins.
   */
  readonly onRestart?: (() => void | Promise<void>) | undefined;
  /** All bytes have come and their digest is right; the file has yet to get its name. Not told of a file that was there. */
  readonly onVerified?: (() => void) | undefined;
  /** Newly moved bytes, and by whom. Bytes found in place are told once with origin `undefined`. */
  readonly onBytes?: ((bytes: number, origin: string | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings blobs in: ranges of one blob over several connections and origins at once, the fastest serving most; what
 * stalls or breaks is dropped in the middle and the rest comes from another. Never resolves with content that hasn't
 * the digest. One fetcher shares what it learnt of origins, and its connections' number, among all its blobs.
 * Rejects with `ImageUnavailable` naming each origin and why it failed, `DigestMismatch` where every origin serves
 * something else, `HostChangeFailed` where the file can't be written, `Aborted`.
 */
export interface BlobFetcher {
  fetch(request: FetchBlobRequest): Promise<readonly FetchedFrom[]>;
}

/** An image, or an index of images, to be read. */
export interface ImageReader {
  /** In the transport's notation, such as `oci:/srv/images:etcd`. */
  readonly name: string;
  /** The manifest or index that the name stands for, or, by digest, one below it. `NotFound`. */
  getManifest(digest?: string, signal?: AbortSignal): Promise<ManifestContent>;
  /** A blob from its start, unverified. `NotFound`. */
  openBlob(blob: Descriptor, signal?: AbortSignal): Promise<Readable>;
  /** Where ranges can be had from; empty or absent where the transport has only `openBlob`. */
  readonly origins?: readonly BlobOrigin[] | undefined;
  /** A file that holds this blob and nothing else, where the transport has one. */
  blobPath?(digest: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** A target for one or more images. Blobs first, then manifests from the leaves to the root, then `commit`. */
export interface ImageWriter {
  readonly name: string;
  /**
   * True where the whole image that this manifest describes is there, so that none of its blobs needs to be sent;
   * `putManifest` names it. Absent where the target can't tell (and `hasBlob` answers for each).
   */
  hasImage?(manifest: ManifestContent, signal?: AbortSignal): Promise<boolean>;
  /** True where it needn't be sent. For registries a mount from elsewhere counts. */
  hasBlob(blob: Descriptor, signal?: AbortSignal): Promise<boolean>;
  /** Reads `content` (exactly the blob's bytes) to its end and keeps it only where the digest is right: `DigestMismatch`. */
  putBlob(blob: Descriptor, content: Readable, signal?: AbortSignal): Promise<void>;
  /** Where a fetcher may build the blob up so that `adoptBlob` is a rename; absent for targets that are no folder. */
  stagingPath?(blob: Descriptor): string;
  /** Takes what lies, verified, at `stagingPath(blob)`. */
  adoptBlob?(blob: Descriptor): Promise<void>;
  /**
   * What kinds it can hold; a copy converts (`toAccepted`) or refuses. docker-archive and the engine: one platform,
   * schema 2, no index. `docker` false: schema 2 is to become OCI, as image layouts have it; skopeo finds nothing else
   * in them. Absent: both are taken as they are.
   */
  readonly accepts: {
    readonly index: boolean;
    readonly oci: boolean;
    readonly docker?: boolean | undefined;
  };
  /**
   * `reference`: the name that the image gets there (a full reference, a tag, the empty word for an image that gets no
   * name, or undefined for a child of an index). `locationName` gives it for a location.
   */
  putManifest(manifest: ManifestContent, reference: string | undefined, signal?: AbortSignal): Promise<void>;
  /** Makes it visible as a whole: for archives the last bytes and the rename, for the engine the end of the load. */
  commit(signal?: AbortSignal): Promise<void>;
  /** Gives up what was not committed; never rejects. */
  abort(): Promise<void>;
}

/** A word such as `docker://host/path:tag`, `oci:dir:name`, `oci-archive:file`, `docker-archive:file:ref`, `docker-daemon:ref` taken apart. */
export type ImageLocation =
  | { readonly transport: 'docker'; readonly reference: string }
  | { readonly transport: 'docker-daemon'; readonly reference: string }
  | {
      readonly transport: 'oci' | 'oci-archive' | 'docker-archive';
      readonly path: string;
      readonly name: string | undefined;
    };

export interface CopyReport {
  /** Of the root manifest at the target. */
  readonly digest: string;
  readonly blobs: { readonly copied: number; readonly present: number };
  readonly bytes: { readonly moved: number; readonly present: number };
  readonly from: readonly FetchedFrom[];
}
