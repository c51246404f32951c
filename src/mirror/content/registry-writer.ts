import { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import { parseReference } from '../../registry/reference.js';
import type { BlobUpload, RegistryClient } from '../../registry/types.js';
import { hearErrors, makeVerifier } from './digest.js';
import type { ContentDeps, ImageWriter } from './types.js';

export interface RegistryWriterOptions {
  /** Repositories of the same registry that may have a blob. */
  readonly mountFrom?: ((digest: string) => readonly string[]) | undefined;
  /** They have it: mounted without asking first whether the target has it too. */
  readonly mountsFirst?: boolean | undefined;
  /** Where the user named it. */
  readonly scheme?: 'http' | 'https' | undefined;
}

/**
 * A repository of a registry. Blobs that the registry has elsewhere (`mountFrom`) are mounted, not sent. A blob is
 * hashed on its way out, and closed only where it was right. The root's name is the reference's tag or digest. There is
 * nothing to take back: blobs that no manifest names are the registry's to collect.
 */
export async function openRegistryWriter(
  reference: string,
  deps: Pick<ContentDeps, 'registries'>,
  { mountFrom = () => [], mountsFirst = false, scheme }: RegistryWriterOptions = {},
): Promise<ImageWriter> {
  const { domain, path } = parseReference(reference);
  const name = `docker://${domain}/${path}`;
  if (!deps.registries) throw new HyperupError('Internal', `write ${name}: no registry clients were given`);
  const client = deps.registries.clientFor(domain, scheme);
  /** Uploads that a mount which was not granted has begun, by digest. */
  const begun = new Map<string, BlobUpload>();
  const cancelAll = async () => {
    for (const upload of begun.values()) await upload.cancel();
    begun.clear();
  };
  return {
    name,
    accepts: { index: true, oci: true },
    hasBlob: async (blob, signal) => {
      const mountIt = () => mount(client, path, blob.digest, mountFrom(blob.digest), begun, signal);
      if (mountsFirst && (await mountIt())) return true;
      const found = await client.headBlob(path, blob.digest, { signal });
      if (found) return found.size === blob.size;
      return !mountsFirst && (await mountIt());
    },
    putBlob: async (blob, content, signal) => {
      hearErrors(content);
      const action = `write blob ${blob.digest} to ${domain}/${path}`;
      const upload = begun.get(blob.digest) ?? (await start(client, path, content, signal));
      begun.delete(blob.digest);
      const verifier = makeVerifier(blob, action);
      let failure: { readonly error: unknown } | undefined;
      const body = async function* () {
        try {
          for await (const chunk of content as AsyncIterable<Buffer>) {
            verifier.update(chunk);
            yield chunk;
          }
        } catch (error) {
          // The client's own error would hide what was wrong with the content.
          failure = { error };
          throw error;
        }
      };
      try {
        await upload.append(Readable.from(body(), { objectMode: false }), blob.size, { signal });
        // The client may stop at the promised length, before the content's end was asked for.
        if (!failure) verifier.finish();
        await upload.finish(blob.digest, { signal });
      } catch (error) {
        await upload.cancel();
        throw failure ? failure.error : error;
      } finally {
        content.destroy();
      }
    },
    putManifest: async (manifest, wanted, signal) => {
      await client.putManifest(path, tagOf(wanted, manifest.digest), manifest, { signal });
    },
    commit: cancelAll,
    abort: () => cancelAll().catch(() => {}),
  };
}

async function start(
  client: RegistryClient,
  path: string,
  content: Readable,
  signal: AbortSignal | undefined,
): Promise<BlobUpload> {
  try {
    const upload = await client.startUpload(path, undefined, { signal });
    if (upload !== 'mounted') return upload;
  } catch (error) {
    content.destroy();
    throw error;
  }
  content.destroy();
  throw new HyperupError('RegistryFailed', `write to ${client.host}/${path}: it mounted a blob that nobody asked for`);
}

async function mount(
  client: RegistryClient,
  path: string,
  digest: string,
  mountFrom: readonly string[],
  begun: Map<string, BlobUpload>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const from of mountFrom.filter((each) => each !== path)) {
    // A registry that doesn't mount begins an upload instead; the last one serves for the bytes.
    await begun.get(digest)?.cancel();
    begun.delete(digest);
    const answer = await client.startUpload(path, { from, digest }, { signal });
    if (answer === 'mounted') return true;
    begun.set(digest, answer);
  }
  return false;
}

/** What a manifest is put under: its tag, or its digest where it has none. */
function tagOf(reference: string | undefined, digest: string): string {
  if (reference === undefined || reference === '') return digest;
  if (!/[/:@]/.test(reference)) return reference;
  const parsed = parseReference(reference);
  if (parsed.digest !== undefined && parsed.tag === undefined) return digest;
  return parsed.tag ?? 'latest';
}
