import { throwIfAborted } from '../../base/errors.js';
import { makeVerifier } from '../content/digest.js';
import type { Bundle } from './open-bundle.js';

/** Reads every blob and compares its digest. Throws `DigestMismatch`, `Aborted`. */
export async function verifyBundle(
  bundle: Bundle,
  options: {
    readonly onBytes?: ((read: number, total: number) => void) | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  const action = `check ${bundle.name}`;
  const { blobs, kubectl } = bundle.manifest;
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  let read = 0;
  const check = async (blob: { readonly digest: string; readonly size: number }, content: AsyncIterable<Buffer>) => {
    const verifier = makeVerifier({ ...blob, mediaType: '' }, action);
    for await (const piece of content) {
      throwIfAborted(options.signal, action);
      verifier.update(piece);
      read += piece.length;
    }
    verifier.finish();
    options.onBytes?.(read, total);
  };
  const program = bundle.openKubectl();
  if (program && kubectl && 'digest' in kubectl) await check(kubectl, program);
  for (const blob of blobs) await check(blob, bundle.openBlob(blob.digest));
}
