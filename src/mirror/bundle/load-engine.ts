import { Readable } from 'node:stream';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import type { ImageEngine, ImageSummary } from '../../docker/types.js';
import { familiarName, parseReference } from '../../registry/reference.js';
import { makeVerifier } from '../content/digest.js';
import { makeTarHeader, tarEnd, tarPadding } from '../content/tar-header.js';
import type { BundledImage } from './bundle-format.js';
import type { Bundle } from './open-bundle.js';

export interface LoadEngineOptions {
  readonly bundle: Bundle;
  readonly engine: Pick<ImageEngine, 'loadImage' | 'listImages'>;
  /** Those of the bundle's images that are wanted. */
  readonly images: readonly BundledImage[];
  readonly onBytes?: ((sent: number, total: number) => void) | undefined;
  /** Has to resolve before anything counts: a question to the engine that needn't hold up the sending. */
  readonly permitted?: Promise<unknown> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads images into the engine in one pass over the file: each blob is checked while it goes by, and what makes the
 * engine take an archive for one, its list of images, is sent last and only where all were right. Until then the engine
 * has nothing but a temporary folder that it throws away. Layers that a delta lacks must be in the engine already.
 *
 * Throws `DigestMismatch`, `NotFound` naming the delta's base, `Aborted`, and what the engine throws.
 */
export async function loadIntoEngine(options: LoadEngineOptions): Promise<void> {
  const { bundle, engine, images, permitted, signal } = options;
  // Where something else fails first, nobody waits for it.
  permitted?.catch(() => {});
  if (images.length === 0) return;
  const lacking = images.filter(({ layers }) => layers.some(({ digest }) => !bundle.hasBlob(digest)));
  if (lacking.length > 0) assertBasePresent(bundle, lacking, await engine.listImages());
  let failure: unknown;
  const content = Readable.from(
    (async function* () {
      try {
        yield* archiveBytes(options);
      } catch (error) {
        // The engine's own word on an upload that breaks off says less.
        failure = error;
        throw error;
      }
    })(),
    // A stream of bytes would join what waits in it, which copies it.
    { objectMode: true, highWaterMark: 2 },
  );
  try {
    await engine.loadImage(content);
  } catch (error) {
    throwIfAborted(signal, `load ${bundle.name}`);
    throw failure ?? error;
  } finally {
    content.destroy();
  }
}

async function* archiveBytes({
  bundle,
  images,
  onBytes,
  permitted,
  signal,
}: LoadEngineOptions): AsyncGenerator<Buffer> {
  const action = `load ${bundle.name}`;
  const wanted = new Map(
    images.flatMap(({ config, layers }) => [
      [config.digest, { blob: config, name: configName(config.digest) }] as const,
      ...layers.map((layer) => [layer.digest, { blob: layer, name: layerName(layer.digest) }] as const),
    ]),
  );
  // In the file's order, so that it is read from front to back.
  const blobs = bundle.manifest.blobs.flatMap(({ digest }) => wanted.get(digest) ?? []);
  const total = blobs.reduce((sum, { blob }) => sum + blob.size, 0);
  let sent = 0;
  for (const { blob, name } of blobs) {
    const verifier = makeVerifier(blob, action);
    yield makeTarHeader(name, blob.size);
    for await (const piece of bundle.openBlob(blob.digest) as AsyncIterable<Buffer>) {
      throwIfAborted(signal, action);
      verifier.update(piece);
      sent += piece.length;
      yield piece;
    }
    verifier.finish();
    yield tarPadding(blob.size);
    onBytes?.(sent, total);
  }
  await permitted;
  const list = images.map(({ reference, config, layers }) => ({
    Config: configName(config.digest),
    RepoTags: [familiarName(parseReference(reference))],
    Layers: layers.map(({ digest }) => layerName(digest)),
  }));
  const data = Buffer.from(JSON.stringify(list));
  yield makeTarHeader('manifest.json', data.length);
  yield data;
  yield tarPadding(data.length);
  yield tarEnd();
}

const configName = (digest: string) => `${hex(digest)}.json`;
const layerName = (digest: string) => `${hex(digest)}/layer.tar`;
const hex = (digest: string) => digest.slice(digest.indexOf(':') + 1);

/** An engine skips a layer's file where it has that layer upon the same lower ones. */
function assertBasePresent(
  bundle: Bundle,
  images: readonly BundledImage[],
  inEngine: readonly Pick<ImageSummary, 'layers'>[],
): void {
  const stacks = new Set(
    inEngine.flatMap(({ layers = [] }) => layers.map((_, index) => layers.slice(0, index + 1).join(' '))),
  );
  for (const { reference, layers } of images) {
    const missing = layers.filter(
      ({ digest }, index) =>
        !bundle.hasBlob(digest) &&
        !stacks.has(
          layers
            .slice(0, index + 1)
            .map(({ diffId }) => diffId)
            .join(' '),
        ),
    );
    if (missing.length > 0) throw baseMissing(bundle, `the engine lacks ${missing.length} layers of ${reference}`);
  }
}

/** What is wrong where a delta meets a target that has not its base. */
export function baseMissing(
  { name, manifest: { base } }: Pick<Bundle, 'name' | 'manifest'>,
  reason: string,
): HyperupError {
  return new HyperupError('NotFound', `load ${name}: it is a delta and ${reason}`, {
    hint: `Load what it builds upon first: ${base?.name ?? 'its base'} (${base?.digest ?? 'unknown'}).`,
    details: { base: base?.name, digest: base?.digest },
  });
}
