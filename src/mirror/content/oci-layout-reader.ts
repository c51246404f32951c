import { openLayoutFolder } from './layout-folder.js';
import { makeOciReader } from './oci-reader.js';
import type { ImageReader } from './types.js';

/** An image of an OCI layout folder, `name` as in its `index.json`; without one, its only image. */
export async function openOciLayoutReader(path: string, name: string | undefined): Promise<ImageReader> {
  return makeOciReader('oci', await openLayoutFolder(path), name);
}
