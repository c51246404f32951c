import { HyperupError } from '../base/errors.js';
import type { Component, ReleaseSpec } from './types.js';

/** The canonical reference of the image with that name. Throws `Internal` where the release lacks it. */
export function imageReference(release: ReleaseSpec, name: string): string {
  const image = release.images.find((candidate) => candidate.name === name);
  if (!image) throw new HyperupError('Internal', `release ${release.version}: no image ${name}`);
  return image.reference;
}

/** The canonical reference of the image that a component runs from. */
export function componentImage(release: ReleaseSpec, component: Component): string {
  return imageReference(release, release.components[component].image);
}
