import { formatDuration } from '../base/bytes.js';
import { type ErrorCode, HyperupError } from '../base/errors.js';
import type { ReleaseImage } from '../release/types.js';
import { describeSource, type ImageSource } from './plan.js';

/** What came of one source of one image. */
export interface SourceReport {
  readonly source: ImageSource;
  /** `skipped`: not asked at all. */
  readonly outcome: 'served' | 'failed' | 'skipped';
  /** Why it failed or was skipped, or how it served. */
  readonly reason: string;
  /** Of a failure that has one of its own, such as `DigestMismatch`. */
  readonly code?: ErrorCode | undefined;
  readonly elapsedMs: number;
}

/** An image that is in the engine under its canonical name. */
export interface ObtainedImage {
  readonly name: string;
  /** The canonical name, as manifests say it. */
  readonly reference: string;
  readonly id: string;
  readonly sizeBytes: number;
  readonly source: ImageSource;
  /** False where it was there already. */
  readonly changed: boolean;
  /** Every source up to the one that served. */
  readonly reports: readonly SourceReport[];
}

export interface MissingImage {
  readonly image: ReleaseImage;
  readonly reports: readonly SourceReport[];
}

/** One line a source: `mirror 127.0.0.1:5001/etcd:3.4.13-0: failed: 127.0.0.1:5001 refused the connection`. */
export function reportLine({ source, outcome, reason, elapsedMs }: SourceReport): string {
  const took = outcome === 'failed' && elapsedMs >= 1000 ? ` after ${formatDuration(elapsedMs)}` : '';
  return `${describeSource(source)}: ${outcome}${took}: ${reason}`;
}

/** The failure of all that could not be had, each with every source that was tried and why it failed. */
export function imagesUnavailable(missing: readonly MissingImage[], total: number, hint: string): HyperupError {
  const blocks = missing.map(({ image, reports }) =>
    [`${image.name} (${image.reference})`, ...reports.map((report) => `  - ${reportLine(report)}`)].join('\n'),
  );
  const count =
    missing.length === total
      ? total === 1
        ? 'the image'
        : `all ${total} images`
      : `${missing.length} of ${total} images`;
  return new HyperupError('ImageUnavailable', `obtain images: no source has ${count}\n${blocks.join('\n')}`, {
    hint,
    details: {
      images: missing.map(({ image, reports }) => ({
        name: image.name,
        reference: image.reference,
        sources: reports.map((report) => ({
          source: describeSource(report.source),
          outcome: report.outcome,
          reason: report.reason,
          code: report.code,
          elapsedMs: Math.round(report.elapsedMs),
        })),
      })),
    },
  });
}
