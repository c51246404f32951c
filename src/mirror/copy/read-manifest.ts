import { HyperupError } from '../../base/errors.js';
import type { ManifestContent } from '../../registry/types.js';
import { type ParsedManifest, parseJson, parseManifest } from '../content/image-manifest.js';

const schema1Types: readonly string[] = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

/** What a manifest of the image `name` says. `InvalidConfig` for what can't be read; schema 1 with a hint of its own. */
export function readManifest(content: ManifestContent, name: string): ParsedManifest {
  const action = `read manifest ${content.digest} of ${name}`;
  const json = parseJson(content.bytes, action);
  const isSchema1 =
    schema1Types.includes(content.mediaType) ||
    (typeof json === 'object' &&
      json !== null &&
      ('fsLayers' in json || ('schemaVersion' in json && json.schemaVersion === 1)));
  if (isSchema1) {
    throw new HyperupError('InvalidConfig', `${action}: it is of Docker's schema 1, want schema 2 or OCI`, {
      hint: 'Registries and engines have given schema 1 up: push the image anew with a current Docker, and copy that.',
    });
  }
  return parseManifest(content.bytes, action);
}
