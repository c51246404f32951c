import { posix } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import * as z from 'zod';
import { HyperupError, messageOf, throwIfAborted } from '../../base/errors.js';
import { sha256Of } from '../content/digest.js';
import { mediaTypes } from '../content/media-types.js';
import type { BlobStage, StagedBlob } from './blob-stage.js';
import type { BundledImage } from './bundle-format.js';
import { makeManifest, readImageConfig } from './image-documents.js';

/** An image that lies in the stage with all its blobs; the rest of `BundledImage` is the caller's to add. */
export type CollectedImage = Pick<BundledImage, 'manifest' | 'config' | 'oci' | 'layers'>;

const manifestSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);
/** Configs and the like are kept in memory while they pass; what is larger is a layer. */
const smallLimit = 4 << 20;

/**
 * Takes a docker-archive (what `docker save` makes) apart into the stage, in one pass. Gives its images, in its order.
 * Layers are kept plain: an engine takes them back at the speed of its disk, and a layer has the same digest wherever it
 * was saved, which deltas live on. With `gzip` they have a third of the size and cost about a second of one core per
 * 80 MB to save and per 250 MB to load.
 *
 * No name in the archive becomes a path. Throws `EngineFailed` for an archive that isn't one, `DigestMismatch` where a
 * layer isn't what its image's config says.
 */
export async function collectArchive(
  archive: Readable,
  stage: BlobStage,
  options: { readonly gzip?: boolean | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly (CollectedImage & { readonly tags: readonly string[] })[]> {
  const layers = new Map<string, StagedBlob & { readonly isPlain: boolean }>();
  const small = new Map<string, Buffer>();
  const links = new Map<string, string>();
  const unpack = extract();
  if (options.signal) addAbortSignal(options.signal, archive);
  const feeding = pipeline(archive, unpack);
  // Its failure ends the loop below too, which tells of it.
  feeding.catch(() => {});
  try {
    for await (const entry of unpack) {
      const { name, type, linkname, size = 0 } = entry.header;
      if (type === 'symlink' || type === 'link') {
        links.set(name, type === 'link' ? (linkname ?? '') : posix.join(posix.dirname(name), linkname ?? ''));
        entry.resume();
      } else if (type !== 'file' && type !== 'contiguous-file') entry.resume();
      else if (/\.json$|^oci-layout$|\/VERSION$|\/json$|^repositories$/.test(name) && size <= smallLimit) {
        small.set(name, await buffer(entry));
      } else {
        const { head, rest } = await peek(entry as unknown as AsyncIterable<Buffer>);
        // An engine with the containerd store may hand a layer out as it was pulled; configs lie among its blobs too.
        if (size <= smallLimit && head[0] === 0x7b) small.set(name, await concat(rest));
        else {
          const isPlain = !(head[0] === 0x1f && head[1] === 0x8b);
          layers.set(name, { ...(await stage.put(rest, { gzip: isPlain && options.gzip })), isPlain });
        }
      }
    }
    await feeding;
  } catch (error) {
    archive.destroy();
    throwIfAborted(options.signal, 'save images');
    throw error instanceof HyperupError
      ? error
      : new HyperupError('EngineFailed', `save images: ${messageOf(error)}`, { cause: error });
  }
  const resolve = (name: string) => links.get(name) ?? name;
  const images: (CollectedImage & { readonly tags: readonly string[] })[] = [];
  for (const { Config, RepoTags, Layers } of readManifest(small.get('manifest.json'))) {
    const configBytes = small.get(resolve(Config));
    const config = configBytes && readImageConfig(configBytes);
    if (!configBytes || !config) throw notAnArchive(`${Config} is missing or no config`);
    const found = Layers.map((name, index) => {
      const layer = layers.get(resolve(name));
      const diffId = config.rootfs.diff_ids[index];
      if (!layer || diffId === undefined) throw notAnArchive(`layer ${name} is missing`);
      if (layer.isPlain && layer.plainDigest !== diffId) {
        throw new HyperupError('DigestMismatch', `save images: layer ${name} is ${layer.plainDigest}, want ${diffId}`);
      }
      const isPacked = !layer.isPlain || options.gzip === true;
      const mediaType = isPacked ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer;
      return { mediaType, digest: layer.digest, size: layer.size, diffId };
    });
    if (found.length !== config.rootfs.diff_ids.length)
      throw notAnArchive(`${Config} has other layers than the archive`);
    const manifest = makeManifest({
      config: { digest: sha256Of(configBytes), size: configBytes.length },
      layers: found,
    });
    await stage.put(Readable.from([configBytes]));
    await stage.put(Readable.from([manifest]));
    images.push({
      manifest: { mediaType: mediaTypes.ociManifest, digest: sha256Of(manifest), size: manifest.length },
      config: { mediaType: mediaTypes.ociConfig, digest: sha256Of(configBytes), size: configBytes.length },
      layers: found,
      tags: RepoTags ?? [],
    });
  }
  return images;
}

function readManifest(bytes: Buffer | undefined): z.infer<typeof manifestSchema> {
  if (bytes === undefined) throw notAnArchive('it has no manifest.json');
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw notAnArchive(`manifest.json: ${messageOf(error)}`);
  }
}

function notAnArchive(reason: string): HyperupError {
  return new HyperupError('EngineFailed', `save images: the engine's archive is not one: ${reason}`);
}

/** The first bytes of a content, and all of it. */
async function peek(
  content: AsyncIterable<Buffer>,
): Promise<{ readonly head: Buffer; readonly rest: AsyncIterable<Buffer> }> {
  const pieces = content[Symbol.asyncIterator]();
  const first = await pieces.next();
  const head = first.done ? Buffer.alloc(0) : first.value;
  return {
    head,
    rest: (async function* () {
      if (first.done) return;
      yield head;
      for (;;) {
        const next = await pieces.next();
        if (next.done) return;
        yield next.value;
      }
    })(),
  };
}

async function concat(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}
