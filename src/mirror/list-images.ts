import { HyperupError } from '../base/errors.js';
import { type ImageEngine, managedLabel } from '../docker/types.js';
import { formatReference, parseReference, taggedOnly } from '../registry/reference.js';
import type { ReleaseImage, ReleaseSpec } from '../release/types.js';

/** One image of a release as `images list` shows it. */
export interface ImageListing {
  readonly name: string;
  /** The canonical name, as manifests say it. */
  readonly reference: string;
  readonly present: boolean;
  readonly id: string | undefined;
  readonly sizeBytes: number | undefined;
  readonly architecture: string | undefined;
  readonly digests: readonly string[];
  /** `built` by hyperup, `pulled` under the canonical name, or brought in otherwise (another name, a loaded file). */
  readonly origin: 'built' | 'pulled' | 'other' | undefined;
  /** True where hyperup can make it from the distribution's packages. */
  readonly buildable: boolean;
}

/** What the engine has of a release's images, in the release's order. */
export async function listImages(
  engine: Pick<ImageEngine, 'inspectImage'>,
  release: Pick<ReleaseSpec, 'images'>,
): Promise<readonly ImageListing[]> {
  return await Promise.all(
    release.images.map(async (image): Promise<ImageListing> => {
      const reference = canonicalTag(image);
      const found = await engine.inspectImage(reference);
      const built = found?.labels[managedLabel] !== undefined;
      const origin = built ? 'built' : found && found.digests.length > 0 ? 'pulled' : 'other';
      return {
        name: image.name,
        reference,
        present: found !== undefined,
        id: found?.id,
        sizeBytes: found?.sizeBytes,
        architecture: found?.architecture,
        digests: found?.digests ?? [],
        origin: found ? origin : undefined,
        buildable: image.recipe !== undefined,
      };
    }),
  );
}

/** Those images of a release that are named, or all where none is. Throws `Usage` for a name that it has not. */
export function selectImages(
  release: Pick<ReleaseSpec, 'version' | 'images'>,
  names: readonly string[],
): readonly ReleaseImage[] {
  const known = release.images.map((image) => image.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new HyperupError(
      'Usage',
      `choose images of ${release.version}: got ${unknown.join(', ')}, want some of ${known.join(', ')}`,
    );
  }
  return names.length === 0 ? release.images : release.images.filter((image) => names.includes(image.name));
}

/** The name that the engine should have an image under: the canonical reference, less a digest. */
export function canonicalTag(image: ReleaseImage): string {
  const reference = parseReference(image.reference);
  return formatReference(taggedOnly(reference) ?? reference);
}
