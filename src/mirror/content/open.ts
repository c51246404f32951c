import type { ContentDeps, ImageLocation, ImageReader, ImageWriter } from './types.js';

/**
 * Opens the image that a location names; the caller closes it. Nothing that it gives is verified but manifests.
 * Errors: `NotFound` (no such file, folder or image in it), `InvalidConfig` naming file and member where an archive or
 * layout is malformed, `DigestMismatch` for a manifest that isn't what its digest says, and the clients' own.
 */
export async function openReader(location: ImageLocation, deps: ContentDeps): Promise<ImageReader> {
  switch (location.transport) {
    case 'docker':
      return (await import('./registry-reader.js')).openRegistryReader(location.reference, deps);
    case 'docker-daemon':
      return (await import('./engine-reader.js')).openEngineReader(location.reference, deps);
    case 'oci':
      return (await import('./oci-layout-reader.js')).openOciLayoutReader(location.path, location.name);
    case 'oci-archive':
      return (await import('./oci-archive-reader.js')).openOciArchiveReader(location.path, location.name, deps);
    case 'docker-archive':
      return (await import('./docker-archive-reader.js')).openDockerArchiveReader(location.path, location.name, deps);
  }
}

/**
 * Opens a location for writing; it takes several images where the transport does. The caller ends it by `commit` or
 * `abort`; until then nothing that was there is changed. `mountFrom`: repositories of the same registry that may have
 * the blobs already. The name goes with `putManifest`: see `locationName`. An archive
 * that exists is replaced at `commit`.
 */
export async function openWriter(
  location: ImageLocation,
  deps: ContentDeps,
  options: WriterOptions = {},
): Promise<ImageWriter> {
  switch (location.transport) {
    case 'docker':
      return (await import('./registry-writer.js')).openRegistryWriter(location.reference, deps, {
        mountFrom: () => options.mountFrom ?? [],
      });
    case 'docker-daemon':
      return (await import('./engine-writer.js')).openEngineWriter(deps);
    case 'oci':
      return (await import('./oci-layout-writer.js')).openOciLayoutWriter(location.path, deps);
    case 'oci-archive':
      return (await import('./oci-archive-writer.js')).openOciArchiveWriter(location.path, deps);
    case 'docker-archive':
      return (await import('./docker-archive-writer.js')).openDockerArchiveWriter(location.path, deps);
  }
}

export interface WriterOptions {
  /** Repository paths on the target's registry, such as `library/busybox`. */
  readonly mountFrom?: readonly string[] | undefined;
}
