import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { EmitProgress } from '../../base/progress.js';
import type { Descriptor, Platform } from '../../registry/types.js';
import type { BlobFetcher, ImageReader, ImageWriter } from '../content/types.js';
import type { Turns } from './turns.js';
import type { BlobUploads } from './uploads.js';

/** One image, or index of images, on its way from one place to another. */
export interface CopyRequest {
  /** `readResolved` gives one for a registry with mirrors. The caller closes it. */
  readonly source: ImageReader;
  /** `copyImage` commits it, or aborts it on a failure. */
  readonly target: ImageWriter;
  /** Where the target is a registry: its uploads are gone on with by later processes. */
  readonly uploads?: BlobUploads | undefined;
  /** `all` keeps an index with all its images; a platform takes the one image out of it. */
  readonly platform: 'all' | Platform;
  /** The name at the target, as `ImageWriter.putManifest` takes it; `locationName` gives it. */
  readonly reference: string;
  readonly fetcher: BlobFetcher;
  /** Holds what is under way, for targets that are no folder; gone on with after a failure. */
  readonly cacheDir: string;
  readonly emit: EmitProgress;
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Takes what is still being removed of the cache when the copy is done; where it is absent, that is waited for. */
  readonly onRemoving?: ((work: Promise<void>) => void) | undefined;
  /** Who begins among the long blobs of several copies; their own where absent. */
  readonly turns?: Turns | undefined;
  /** Blobs at once. Default 4. */
  readonly concurrency?: number | undefined;
}

/** What a copy would do. */
export interface CopyPlan {
  /** Of the root manifest at the source, before any conversion. */
  readonly digest: string;
  readonly mediaType: string;
  readonly manifests: number;
  readonly missing: readonly Descriptor[];
  readonly present: readonly Descriptor[];
  /** Layers that only their URLs have, and that the target doesn't want. */
  readonly foreign: readonly Descriptor[];
}
