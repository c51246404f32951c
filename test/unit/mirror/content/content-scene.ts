import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { systemClock } from '../../../../src/base/clock.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { makeImageManifest } from '../../../../src/mirror/content/image-manifest.js';
import { mediaTypes } from '../../../../src/mirror/content/media-types.js';
import type { ContentDeps, ImageReader, ImageWriter } from '../../../../src/mirror/content/types.js';
import type { Descriptor, ManifestContent } from '../../../../src/registry/types.js';

export const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
export const streamOf = (bytes: Buffer) => Readable.from(chunksOf(bytes), { objectMode: false });

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 700) chunks.push(bytes.subarray(at, at + 700));
  return chunks;
}

/** One member of a tar made by hand, so that it can be wrong in any way. */
export interface RawMember {
  readonly path: string;
  readonly body?: Buffer | string;
  readonly flag?: string;
  readonly link?: string;
  /** Claimed, where it isn't the body's. */
  readonly size?: number;
  readonly prefix?: string;
}

/** A tar of these members, with an end mark. */
export function tarOf(members: readonly RawMember[], end = true): Buffer {
  const parts = members.flatMap((member) => {
    const body = Buffer.from(member.body ?? '');
    return [rawHeader(member, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, end ? Buffer.alloc(1024) : Buffer.alloc(0)]);
}

function rawHeader({ path, flag = '0', link = '', size, prefix = '' }: RawMember, bodySize: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100);
  block.write('0000644\0', 100);
  block.write(`${(size ?? bodySize).toString(8).padStart(11, '0')}\0`, 124);
  block.write(flag, 156);
  block.write(link, 157, 100);
  block.write('ustar\u000000', 257, 'latin1');
  block.write(prefix, 345, 155);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export interface MadeImage {
  readonly manifest: ManifestContent;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  readonly blobs: ReadonlyMap<string, Buffer>;
}

/** A schema 2 (or OCI) image with a layer for each text. */
export function makeImage(texts: readonly string[], options: { oci?: boolean; plain?: boolean } = {}): MadeImage {
  const { oci = false, plain = false } = options;
  const tars = texts.map((text) => tarOf([{ path: 'file', body: text }]));
  const bodies = tars.map((tar) => (plain ? tar : gzipSync(tar)));
  const diffIds = tars.map(digestOf);
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const blobs = new Map([config, ...bodies].map((bytes) => [digestOf(bytes), bytes]));
  const layerType = oci
    ? plain
      ? mediaTypes.ociLayer
      : mediaTypes.ociLayerGzip
    : plain
      ? mediaTypes.dockerLayer
      : mediaTypes.dockerLayerGzip;
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const configBlob = describe(oci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, config);
  const layers = bodies.map((body) => describe(layerType, body));
  const type = oci ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  return { manifest: makeImageManifest(type, configBlob, layers), config: configBlob, layers, diffIds, blobs };
}

/** Puts an image's blobs and manifest, all blobs at once; `commit` is the caller's. */
export async function putImage(writer: ImageWriter, image: MadeImage, name: string | undefined): Promise<void> {
  await Promise.all(
    [...image.layers, image.config].map(async (blob) => {
      if (await writer.hasBlob(blob)) return;
      await writer.putBlob(blob, streamOf(image.blobs.get(blob.digest) ?? Buffer.alloc(0)));
    }),
  );
  await writer.putManifest(image.manifest, name);
}

export async function readAll(reader: ImageReader, blob: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await reader.openBlob(blob)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface Scene {
  readonly folder: string;
  readonly deps: ContentDeps;
  at(name: string): string;
  /** Everything in the folder but `tmp`, sorted. */
  list(name?: string): Promise<readonly string[]>;
}

/** A folder of the test's own; locks wait on the system's clock, which no test makes them do. */
export async function makeScene(t: { teardown(done: () => Promise<void>): void }): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-content-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  return {
    folder,
    at,
    deps: { tmpDir: at('tmp'), logger: silentLogger, clock: systemClock },
    list: async (name = '.') => {
      const names = await readdir(at(name)).catch(() => []);
      return names.filter((entry) => entry !== 'tmp').sort();
    },
  };
}
