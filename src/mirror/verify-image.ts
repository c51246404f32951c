import { HyperupError } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';

export interface ImageExpectation {
  /** Such as `amd64`; undefined: not checked. */
  readonly architecture: string | undefined;
  /**
   * What a reference or a lock pins, as digests of which one is enough: of the index, of the manifest, and, where it is
   * known, of the configuration, which is the id of an image that was loaded. Undefined: not checked.
   */
  readonly digests: readonly string[] | undefined;
}

/**
 * What is wrong with an image that the engine has: `DigestMismatch` where neither its repository digests nor its id is
 * a wanted one, `Conflict` where it is for another machine; undefined where it is as wanted. The id is the
 * configuration's digest; with the containerd image store it is the manifest's.
 */
export function imageFault(reference: string, image: ImageSummary, want: ImageExpectation): HyperupError | undefined {
  const digests = image.digests.map((name) => name.slice(name.indexOf('@') + 1));
  if (want.digests !== undefined && ![image.id, ...digests].some((digest) => want.digests?.includes(digest))) {
    const got = digests.length === 0 ? `no digest (image ${image.id})` : digests.join(', ');
    const wanted = want.digests[0] ?? '';
    return new HyperupError('DigestMismatch', `check ${reference}: got ${got}, want ${wanted}`, {
      details: { reference, got: digests, id: image.id, want: wanted },
    });
  }
  const got = image.architecture;
  if (want.architecture !== undefined && got !== '' && got !== want.architecture) {
    return new HyperupError(
      'Conflict',
      `check ${reference}: image is for ${got}, this engine runs ${want.architecture}`,
      {
        details: { reference, got, want: want.architecture },
      },
    );
  }
  return undefined;
}
