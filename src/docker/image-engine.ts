import { isHyperupError } from '../base/errors.js';
import { compareApiVersions } from './api-version.js';
import { importImage, loadImage, saveImages } from './archive.js';
import { buildImage } from './build.js';
import { toImageSummary, type WireImage } from './image-wire.js';
import { pullImage } from './pull.js';
import { pathOf, splitReference } from './reference-parts.js';
import type { Transport } from './transport.js';
import type { ImageEngine, ImageSummary } from './types.js';

/** Time limit of a removal, which deletes the layers' files before it answers. */
const removeMs = 120_000;
/** Inspections at once while listing. */
const listWidth = 8;

/** The engine's platform as `save` wants it, asked for only where it is needed. */
export interface SavePlatform {
  readonly apiVersion: string;
  /** JSON of an OCI platform where the engine's image store keeps several platforms of one image; else undefined. */
  platform(): Promise<string | undefined>;
}

/** The image half of an engine. */
export function makeImageEngine(transport: Transport, saving: SavePlatform): ImageEngine {
  const inspectImage = async (reference: string): Promise<ImageSummary | undefined> => {
    try {
      const path = `/images/${pathOf(reference)}/json`;
      const { body } = await transport.call({ action: `inspect image ${reference}`, method: 'GET', path });
      return toImageSummary(body as WireImage);
    } catch (error) {
      if (isHyperupError(error, 'NotFound')) return undefined;
      throw error;
    }
  };
  return {
    inspectImage,
    listImages: async (labels = {}) => {
      const { body } = await transport.call({
        action: 'list images',
        method: 'GET',
        path: '/images/json',
        query: { filters: JSON.stringify({ label: Object.entries(labels).map(([key, value]) => `${key}=${value}`) }) },
      });
      // The list has neither architecture nor an exact time; an image that vanishes meanwhile isn't listed.
      const ids = (body as readonly { Id: string }[]).map((image) => image.Id);
      const images: ImageSummary[] = [];
      for (let at = 0; at < ids.length; at += listWidth) {
        const some = await Promise.all(ids.slice(at, at + listWidth).map(inspectImage));
        images.push(...some.filter((image) => image !== undefined));
      }
      return images;
    },
    pullImage: (reference, options) => pullImage(transport, reference, options),
    tagImage: async (source, target) => {
      const { repository, tag } = splitReference(target);
      await transport.call({
        action: `tag ${source} as ${target}`,
        method: 'POST',
        path: `/images/${pathOf(source)}/tag`,
        query: { repo: repository, tag },
      });
    },
    removeImage: async (reference, options) => {
      try {
        await transport.call({
          action: `remove image ${reference}`,
          method: 'DELETE',
          path: `/images/${pathOf(reference)}`,
          query: { force: options?.force },
          timeoutMs: removeMs,
        });
        return true;
      } catch (error) {
        if (isHyperupError(error, 'NotFound')) return false;
        throw error;
      }
    },
    loadImage: (tar, options) => loadImage(transport, tar, options?.onLine),
    saveImages: async (references) => {
      const several = compareApiVersions(saving.apiVersion, '1.48') >= 0;
      return saveImages(transport, references, several ? await saving.platform() : undefined);
    },
    buildImage: (context, options) => buildImage(transport, context, options),
    importImage: (tar, reference, changes) => importImage(transport, tar, reference, changes),
  };
}
