import type { Readable } from 'node:stream';
import { HyperupError, messageOf, throwIfAborted } from '../../base/errors.js';
import type { Descriptor, ManifestContent } from '../../registry/types.js';
import type { BlobOrigin, ImageReader } from '../content/types.js';
import type { ResolvedImage, ResolvedSource } from './resolve.js';

/** The places that a resolved image's blobs come from, in the user's order. */
export function originsOf(resolved: Pick<ResolvedImage, 'sources'>): readonly BlobOrigin[] {
  return resolved.sources.map(({ name, reference, client }) => ({
    name,
    host: client.host,
    open: (digest, range, signal) => client.getBlob(reference.path, digest, range, { signal }),
  }));
}

/**
 * Reads an image from all mirrors that have it; what one doesn't serve is asked of the next. The clients stay open:
 * they belong to the caller.
 */
export function readResolved(resolved: ResolvedImage): ImageReader {
  const { root, sources, reference } = resolved;
  const origins = originsOf(resolved);
  return {
    name: `docker://${reference}`,
    origins,
    getManifest: async (digest, signal) => {
      if (digest === undefined || digest === root.digest) return root;
      return await firstThatServes(sources, `get manifest ${digest} of ${reference}`, signal, (source) =>
        childManifest(source, digest, signal),
      );
    },
    openBlob: (blob, signal) =>
      firstThatServes(origins, `get blob ${blob.digest} of ${reference}`, signal, (origin) =>
        openFromStart(origin, blob, signal),
      ),
    close: async () => {},
  };
}

async function childManifest(
  { client, reference }: ResolvedSource,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<ManifestContent> {
  const manifest = await client.getManifest(reference.path, digest, { signal });
  if (manifest.digest !== digest) {
    throw new HyperupError(
      'DigestMismatch',
      `get manifest from ${client.host}: got ${manifest.digest}, want ${digest}`,
    );
  }
  return manifest;
}

async function openFromStart(
  origin: BlobOrigin,
  { digest }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  const { body } = await origin.open(digest, { start: 0 }, signal ?? new AbortController().signal);
  return body;
}

async function firstThatServes<S extends { readonly name: string }, T>(
  sources: readonly S[],
  action: string,
  signal: AbortSignal | undefined,
  ask: (source: S) => Promise<T>,
): Promise<T> {
  const reasons: string[] = [];
  let last: unknown;
  for (const source of sources) {
    throwIfAborted(signal, action);
    try {
      return await ask(source);
    } catch (error) {
      last = error;
      reasons.push(`${source.name}: ${messageOf(error)}`);
    }
  }
  throwIfAborted(signal, action);
  if (sources.length === 1) throw last;
  throw new HyperupError('ImageUnavailable', `${action}: no source has it:\n  ${reasons.join('\n  ')}`, {
    cause: last,
  });
}
