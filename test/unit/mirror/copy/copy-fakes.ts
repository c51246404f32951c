import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { HyperupError } from '../../../../src/base/errors.js';
import { mediaTypes } from '../../../../src/mirror/content/media-types.js';
import type { BlobFetcher, BlobOrigin, ImageReader, ImageWriter } from '../../../../src/mirror/content/types.js';
import type { Descriptor, ManifestContent, Platform, RegistryClient } from '../../../../src/registry/types.js';

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface FakeBlob extends Descriptor {
  readonly bytes: Buffer;
}

export function blobOf(text: string, mediaType: string = mediaTypes.ociLayerGzip): FakeBlob {
  const bytes = Buffer.from(text);
  return { mediaType, digest: sha256(bytes), size: bytes.length, bytes };
}

export function manifestOf(mediaType: string, value: object): ManifestContent {
  const bytes = Buffer.from(JSON.stringify(value));
  return { mediaType, digest: sha256(bytes), bytes };
}

function plain({ mediaType, digest, size, urls }: Descriptor): object {
  return { mediaType, digest, size, ...(urls ? { urls } : {}) };
}

export function imageOf(config: Descriptor, layers: readonly Descriptor[]): ManifestContent {
  const mediaType = mediaTypes.ociManifest;
  return manifestOf(mediaType, { schemaVersion: 2, mediaType, config: plain(config), layers: layers.map(plain) });
}

export function indexOf(children: readonly { readonly manifest: ManifestContent; readonly platform?: Platform }[]) {
  const mediaType = mediaTypes.ociIndex;
  return manifestOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: children.map(({ manifest, platform }) => ({
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.bytes.length,
      ...(platform ? { platform } : {}),
    })),
  });
}

export interface FakeReaderOptions {
  readonly root: ManifestContent;
  readonly children?: readonly ManifestContent[];
  readonly blobs?: readonly FakeBlob[];
  readonly origins?: readonly BlobOrigin[];
}

/** An image in memory. */
export function fakeReader({ root, children = [], blobs = [], origins }: FakeReaderOptions): ImageReader {
  const manifests = new Map([root, ...children].map((each) => [each.digest, each]));
  return {
    name: 'fake:source',
    origins,
    getManifest: async (digest = root.digest) => {
      const found = manifests.get(digest);
      if (!found) throw new HyperupError('NotFound', `no manifest ${digest}`);
      return found;
    },
    openBlob: async ({ digest }) => {
      const found = blobs.find((blob) => blob.digest === digest);
      if (!found) throw new HyperupError('NotFound', `no blob ${digest}`);
      return Readable.from([found.bytes], { objectMode: false });
    },
    close: async () => {},
  };
}

export interface FakeWriter extends ImageWriter {
  /** What was done to it, in order: `blob DIGEST`, `manifest DIGEST NAME`, `commit`, `abort`. */
  readonly log: readonly string[];
}

export interface FakeWriterOptions {
  readonly accepts?: ImageWriter['accepts'];
  readonly has?: readonly string[];
  /** For a target that is a folder. */
  readonly folder?: string;
  /** Called with each blob that is put. */
  readonly onPut?: (blob: Descriptor) => void | Promise<void>;
}

/** A target that remembers; it takes only what has the right digest. */
export function fakeWriter(options: FakeWriterOptions = {}): FakeWriter {
  const { accepts = { index: true, oci: true }, has = [], folder, onPut } = options;
  const log: string[] = [];
  return {
    name: 'fake:target',
    log,
    accepts,
    hasBlob: async ({ digest }) => has.includes(digest),
    putBlob: async (blob, content) => {
      await onPut?.(blob);
      const bytes = await buffer(content);
      if (sha256(bytes) !== blob.digest) throw new HyperupError('DigestMismatch', 'the content is wrong');
      log.push(`blob ${blob.digest}`);
    },
    ...(folder === undefined
      ? {}
      : {
          stagingPath: ({ digest }: Descriptor) => `${folder}/${digest.slice(7)}`,
          adoptBlob: async ({ digest }: Descriptor) => void log.push(`adopt ${digest}`),
        }),
    putManifest: async ({ digest }, reference) => void log.push(`manifest ${digest} ${reference ?? '-'}`),
    commit: async () => void log.push('commit'),
    abort: async () => void log.push('abort'),
  };
}

export interface FakeFetcher extends BlobFetcher {
  readonly fetched: readonly string[];
}

/** Has the blobs at hand. `first`: what it gives to who streams before it finds that it was wrong and begins anew. */
export function fakeFetcher(blobs: readonly FakeBlob[], first?: Buffer): FakeFetcher {
  const fetched: string[] = [];
  return {
    fetched,
    fetch: async ({ blob, path, onPrefix, onRestart, onBytes, signal }) => {
      signal?.throwIfAborted();
      const found = blobs.find(({ digest }) => digest === blob.digest);
      if (!found) throw new HyperupError('ImageUnavailable', `fetch ${blob.digest}: nobody has it`);
      if (first !== undefined) {
        await onPrefix?.(first);
        await onRestart?.();
      }
      const step = Math.max(4, Math.ceil(found.size / 4));
      for (let at = 0; at < found.size; at += step) {
        const chunk = found.bytes.subarray(at, at + step);
        await onPrefix?.(chunk);
        onBytes?.(chunk.length, 'mirror');
      }
      if (path !== undefined) await writeFile(path, found.bytes);
      fetched.push(blob.digest);
      return [{ origin: 'mirror', bytes: found.size }];
    },
  };
}

/** A client that throws on whatever isn't given. */
export function fakeClient(host: string, parts: Partial<RegistryClient>): RegistryClient {
  return new Proxy(parts, {
    get: (target, name) => {
      if (name === 'host') return host;
      const found = Reflect.get(target, name);
      if (found === undefined && name !== 'then') throw new Error(`${host}: the test did not expect ${String(name)}`);
      return found;
    },
  }) as RegistryClient;
}
