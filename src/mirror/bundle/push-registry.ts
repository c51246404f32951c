import { HyperupError, throwIfAborted } from '../../base/errors.js';
import { hidePassword } from '../../base/hide-password.js';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.js';
import type { RegistryClient } from '../../registry/types.js';
import type { BundledImage } from './bundle-format.js';
import { baseMissing } from './load-engine.js';
import type { Bundle } from './open-bundle.js';

/** A registry, and what goes before the images' own paths in it. */
export interface RegistryTarget {
  readonly host: string;
  readonly prefix: string;
  /** As the user wrote it, where that names a scheme. */
  readonly scheme: 'http' | 'https' | undefined;
}

/** Reads `docker://HOST[:PORT][/PREFIX]`. Throws `Usage`. */
export function parseRegistryTarget(text: string): RegistryTarget {
  const match = /^(docker|https?):\/\/([^/]+)((?:\/[^/]+)*)\/?$/.exec(text);
  const host = match?.[2];
  const fault = (reason: string) =>
    new HyperupError('Usage', hidePassword(`read target "${text}": ${reason}`), {
      hint: 'Write docker://HOST[:PORT][/PREFIX], such as docker://registry.example.com:5000/k8s.',
    });
  if (match === null || host === undefined) throw fault('it is no registry');
  if (host !== 'localhost' && !/[.:]/.test(host)) throw fault(`"${host}" has neither a dot nor a port`);
  const prefix = (match[3] ?? '').slice(1);
  try {
    parseReference(`${host}/${prefix === '' ? '' : `${prefix}/`}image`);
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error));
  }
  return { host, prefix, scheme: match[1] === 'http' || match[1] === 'https' ? match[1] : undefined };
}

/** The registry as `--mirror` takes it. */
export function mirrorOf({ host, prefix, scheme }: RegistryTarget): string {
  return `${scheme === undefined ? '' : `${scheme}://`}${host}${prefix === '' ? '' : `/${prefix}`}`;
}

/** The name of an image there, which is where `--mirror HOST/PREFIX` looks for it. */
export function targetReference(target: RegistryTarget, reference: string): ImageReference {
  const { path, tag = 'latest' } = parseReference(reference);
  return parseReference(`${target.host}/${target.prefix === '' ? '' : `${target.prefix}/`}${path}:${tag}`);
}

export interface PushedImage {
  readonly reference: string;
  /** Its name at the target. */
  readonly target: string;
  readonly digest: string;
  readonly movedBytes: number;
  /** False where the target had this very image under this name. */
  readonly changed: boolean;
}

export interface PushOptions {
  readonly bundle: Pick<Bundle, 'name' | 'manifest' | 'hasBlob' | 'document' | 'openBlob'>;
  readonly images: readonly BundledImage[];
  readonly target: RegistryTarget;
  readonly client: RegistryClient;
  readonly onBytes?: ((image: BundledImage, sent: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies images into a registry: only blobs that it hasn't, taken over from its other repositories where it can. Names
 * appear last and only once all blobs of all images are there, so that a failure leaves none that is incomplete; the
 * registry checks every digest. Throws `Conflict` where two images would get one name, `NotFound` where a delta's base is
 * missing there, and what the registry says.
 */
export async function pushToRegistry(options: PushOptions): Promise<readonly PushedImage[]> {
  const { images, target, client, bundle, signal } = options;
  const named = images.map((image) => ({ image, place: targetReference(target, image.reference) }));
  assertDistinct(
    target,
    images.map(({ reference, manifest }) => ({ reference, digest: manifest.digest })),
  );
  /** Which repository a blob was seen in, for mounts. */
  const seen = new Map<string, string>();
  const pushed: PushedImage[] = [];
  const unnamed: (() => Promise<void>)[] = [];
  for (const { image, place } of named) {
    const { path, tag = 'latest' } = place;
    const reference = { reference: image.reference, target: formatReference(place), digest: image.manifest.digest };
    const there = await client.headManifest(path, tag, { signal });
    if (there?.digest === image.manifest.digest) {
      for (const { digest } of [image.config, ...image.layers]) seen.set(digest, path);
      pushed.push({ ...reference, movedBytes: 0, changed: false });
      continue;
    }
    const movedBytes = await pushBlobs(options, image, path, seen);
    const bytes = bundle.document(image.manifest.digest);
    if (bytes === undefined) throw new HyperupError('Internal', `push ${image.reference}: no manifest`);
    const { mediaType, digest } = image.manifest;
    unnamed.push(() => client.putManifest(path, tag, { mediaType, digest, bytes }, { signal }));
    pushed.push({ ...reference, movedBytes, changed: true });
  }
  for (const put of unnamed) await put();
  return pushed;
}

async function pushBlobs(
  { bundle, client, onBytes, signal }: PushOptions,
  image: BundledImage,
  path: string,
  seen: Map<string, string>,
): Promise<number> {
  const blobs = [...new Map([image.config, ...image.layers].map((blob) => [blob.digest, blob])).values()];
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  let moved = 0;
  for (const { digest, size } of blobs) {
    throwIfAborted(signal, `push ${image.reference}`);
    if (!(await client.headBlob(path, digest, { signal }))) {
      const from = seen.get(digest);
      const upload = await client.startUpload(path, from === undefined ? undefined : { from, digest }, { signal });
      if (upload !== 'mounted') {
        if (!bundle.hasBlob(digest)) {
          await upload.cancel();
          throw baseMissing(bundle, `${client.host} lacks layer ${digest} of ${image.reference}`);
        }
        try {
          await upload.append(bundle.openBlob(digest), size, { signal });
          await upload.finish(digest, { signal });
        } catch (error) {
          await upload.cancel();
          throw error;
        }
        moved += size;
      }
    }
    seen.set(digest, path);
    done += size;
    onBytes?.(image, done, total);
  }
  return moved;
}

/** Throws `Conflict` where two images would get one name in a registry. */
export function assertDistinct(
  target: RegistryTarget,
  images: readonly { readonly reference: string; readonly digest: string }[],
): void {
  const taken = new Map<string, { readonly reference: string; readonly digest: string }>();
  for (const image of images) {
    const name = formatReference(targetReference(target, image.reference));
    const other = taken.get(name);
    if (other && other.digest !== image.digest) {
      throw new HyperupError(
        'Conflict',
        `name ${image.reference} in the registry: ${other.reference} would be ${name} too, and is another image`,
        { hint: 'Copy one of them to another prefix, with --image.' },
      );
    }
    taken.set(name, image);
  }
}
