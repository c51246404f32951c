/** One platform of a locked image. */
export interface LockedPlatform {
  /** Digest of the manifest, which names the rest. */
  readonly manifest: string;
  /** Digest of the configuration: the image's id in an engine with Docker's own image store. */
  readonly config: string;
  /** Of configuration and layers as a registry sends them, bytes. */
  readonly size: number;
  /** Digests, bottom first; absent from locks that were written by hand. */
  readonly layers?: readonly string[] | undefined;
}

/** What an image's reference stood for when it was locked. */
export interface LockEntry {
  /** Of the index, or of the manifest where the image has but one platform. */
  readonly digest: string;
  readonly mediaType: string;
  /** By `os/architecture[/variant]`. */
  readonly platforms: Readonly<Record<string, LockedPlatform>>;
  /** The reference that was believed: the canonical one, or a mirror's name for it. */
  readonly source: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** `hyperup.lock`: canonical references (`k8s.gcr.io/etcd:3.4.13-0`) and what they stand for. */
export interface ImageLock {
  readonly version: 1;
  readonly images: Readonly<Record<string, LockEntry>>;
}
