import type { ManifestContent } from '../../registry/types.js';
import { sha256Of } from './digest.js';
import { checked, isIndexType, parseJson, toDockerSchema2, toOciManifest } from './image-manifest.js';
import { looseIndexShape } from './layout-index.js';
import { mediaTypes } from './media-types.js';
import type { ImageWriter } from './types.js';

/**
 * The manifests of an image (leaves first, the root last, as `ImageWriter.putManifest` wants them) in the kinds that a
 * target holds, in the same order. What needs no conversion keeps its bytes and digest; an index over converted images
 * is written anew with their digests. `InvalidConfig` where there is no counterpart.
 */
export function toAccepted(
  manifests: readonly ManifestContent[],
  accepts: ImageWriter['accepts'],
): readonly ManifestContent[] {
  if (!accepts.oci) return manifests.map(toDockerSchema2);
  if (accepts.docker !== false) return manifests;
  const converted = new Map<string, ManifestContent>();
  for (const manifest of manifests) {
    const isIndex = isIndexType(manifest.mediaType);
    converted.set(manifest.digest, isIndex ? toOciIndex(manifest, converted) : toOciManifest(manifest));
  }
  return manifests.map((manifest) => converted.get(manifest.digest) ?? manifest);
}

/** The index as OCI over what its images have become; images that aren't there keep their descriptors. */
function toOciIndex(index: ManifestContent, converted: ReadonlyMap<string, ManifestContent>): ManifestContent {
  const action = `convert index ${index.digest} to OCI`;
  const content = checked(looseIndexShape, parseJson(index.bytes, action), action);
  const isSame = content.manifests.every(({ digest }) => (converted.get(digest)?.digest ?? digest) === digest);
  if (isSame && index.mediaType === mediaTypes.ociIndex) return index;
  const manifests = content.manifests.map((entry) => {
    const child = converted.get(entry.digest);
    if (!child) return entry;
    return { ...entry, mediaType: child.mediaType, digest: child.digest, size: child.bytes.length };
  });
  const bytes = Buffer.from(JSON.stringify({ ...content, mediaType: mediaTypes.ociIndex, manifests }, undefined, 3));
  return { mediaType: mediaTypes.ociIndex, digest: sha256Of(bytes), bytes };
}
