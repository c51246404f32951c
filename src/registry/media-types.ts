/** Manifests and indexes of OCI and Docker. */
export const manifestTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** For `Accept`: without it a registry converts to the long-dead schema 1. */
export const acceptManifests: string = manifestTypes.join(', ');

export const indexType = 'application/vnd.oci.image.index.v1+json';
