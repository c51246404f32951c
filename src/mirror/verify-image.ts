import { HyperupError } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';

export interface ImageExpectation {
  /** Such as `amd64`; undefined: not checked. */
  readonly architecture: string | undefined;
  /** What the reference pins; undefined: not checked. */
  readonly digest: string | undefined;
}

/**
 * What is wrong with an image that the engine has: `DigestMismatch` where none of its repository digests is the wanted
 * one, `Conflict` where it is for another machine; undefined where it is as wanted.
 */
export function imageFault(reference: string, image: ImageSummary, want: ImageExpectation): HyperupError | undefined {
  const digests = image.digests.map((name) => name.slice(name.indexOf('@') + 1));
  // With the containerd image store the id is the manifest's digest.
  if (want.digest !== undefined && !digests.includes(want.digest) && image.id !== want.digest) {
    const got = digests.length === 0 ? 'no digest' : digests.join(', ');
    return new HyperupError('DigestMismatch', `check ${reference}: got ${got}, want ${want.digest}`, {
      details: { reference, got: digests, want: want.digest },
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
