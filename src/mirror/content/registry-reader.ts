import { HyperupError } from '../../base/errors.js';
import { parseReference } from '../../registry/reference.js';
import type { BlobOrigin, ContentDeps, ImageReader } from './types.js';

/** An image of a registry; its blobs can be had by ranges. The client stays the caller's. */
export async function openRegistryReader(reference: string, deps: ContentDeps): Promise<ImageReader> {
  const { domain, path, tag, digest } = parseReference(reference);
  const name = `docker://${reference}`;
  if (!deps.registries) throw new HyperupError('Internal', `read ${name}: no registry clients were given`);
  const client = deps.registries.clientFor(domain);
  const origin: BlobOrigin = {
    name: `${domain}/${path}`,
    host: domain,
    open: (blob, range, signal) => client.getBlob(path, blob, range, { signal }),
  };
  return {
    name,
    getManifest: (below, signal) => client.getManifest(path, below ?? digest ?? tag ?? 'latest', { signal }),
    openBlob: async (blob, signal) => (await client.getBlob(path, blob.digest, undefined, { signal })).body,
    origins: [origin],
    close: async () => {},
  };
}
