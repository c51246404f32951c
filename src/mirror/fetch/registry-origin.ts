import type { RegistryClient } from '../../registry/types.js';
import type { BlobOrigin } from '../content/types.js';

/** A repository `path` of a client's registry as a place for blobs; `name` is what the user calls it. */
export function registryOrigin(
  client: Pick<RegistryClient, 'host' | 'getBlob'>,
  path: string,
  name: string,
): BlobOrigin {
  return {
    name,
    host: client.host,
    open: (digest, range, signal) => client.getBlob(path, digest, range, { signal }),
  };
}
