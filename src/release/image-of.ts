import { HyperupError } from '../base/errors.js';
import type { Component, ComponentSource, ReleaseSpec } from './types.js';

/** The canonical reference of the image with that name. Throws `Internal` where the release lacks it. */
export function imageReference(release: ReleaseSpec, name: string): string {
  const image = release.images.find((candidate) => candidate.name === name);
  if (!image) throw new HyperupError('Internal', `release ${release.version}: no image ${name}`);
  return image.reference;
}

/** Where a component's program is. Throws `Internal` where no image of the release has it. */
export function componentSource(release: ReleaseSpec, component: Component): ComponentSource {
  const source = release.components[component];
  if (!source) throw new HyperupError('Internal', `release ${release.version}: no image has ${component}`);
  return source;
}

/** The canonical reference of the image that a component runs from. Throws `Internal` where none has it. */
export function componentImage(release: ReleaseSpec, component: Component): string {
  return imageReference(release, componentSource(release, component).image);
}
