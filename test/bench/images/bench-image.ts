import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** How the bytes of a layer are made. */
export type LayerKind = 'gzip' | 'plain';

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const fileBytes = 4 * 1024 * 1024;
const words =
  'the of kubelet and to in is container that pod it was for on are image as with his they registry at be this'.split(
    ' ',
  );

/** Numbers that look random and are the same in each run (xorshift32). */
export function makeRandom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** A file as images have them: half of it as dense as a program, half text. */
function fileContent(random: () => number, kind: LayerKind): Buffer {
  const content = Buffer.allocUnsafe(fileBytes);
  const dense = kind === 'plain' ? fileBytes : fileBytes / 2;
  for (let at = 0; at < dense; at += 4) content.writeUInt32LE(random(), at);
  let at = dense;
  while (at < fileBytes)
    at += content.write(`${words[random() % words.length] ?? ''} ${random() % 1000} `, at, 'latin1');
  return content;
}

/**
 * Writes an OCI layout with an image of one layer of about `layerBytes` (as it travels) to a folder, under the name
 * `bench`. Gives the sizes of its blobs' sum.
 */
export async function writeBenchImage(
  folder: string,
  layerBytes: number,
  kind: LayerKind,
  seed: number,
): Promise<number> {
  const blobs = join(folder, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const { layer, diffId } = await writeLayer(blobs, layerBytes, kind, makeRandom(seed));
  const config = await writeJson(blobs, 'application/vnd.oci.image.config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const manifest = await writeJson(blobs, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: [layer],
  });
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'bench' } };
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return layer.size + config.size;
}

async function writeLayer(
  folder: string,
  layerBytes: number,
  kind: LayerKind,
  random: () => number,
): Promise<{ readonly layer: Blob; readonly diffId: string }> {
  const path = join(folder, 'layer');
  const [plainHash, hash] = [createHash('sha256'), createHash('sha256')];
  let size = 0;
  const file = createWriteStream(path, { highWaterMark: 1024 * 1024 });
  const tar = pack();
  const plain = new PassThrough({ highWaterMark: 1024 * 1024 });
  pipeline(tar, plain).catch((error: unknown) => plain.destroy(error as Error));
  plain.on('data', (chunk: Buffer) => plainHash.update(chunk));
  const out = kind === 'gzip' ? plain.pipe(createGzip({ level: 1, chunkSize: 256 * 1024 })) : plain;
  out.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    size += chunk.length;
    if (!file.write(chunk)) {
      out.pause();
      file.once('drain', () => out.resume());
    }
  });
  for (let n = 0; size < layerBytes; n += 1) {
    await new Promise<void>((resolve, reject) => {
      const content = fileContent(random, kind);
      tar.entry({ name: `data/file-${n}`, mode: 0o644 }, content, (error) => (error ? reject(error) : resolve()));
    });
    // What lies in the streams' buffers counts only once it is through.
    await new Promise((resolve) => setImmediate(resolve));
  }
  tar.finalize();
  await once(out, 'end');
  file.end();
  await once(file, 'close');
  const digest = `sha256:${hash.digest('hex')}`;
  await rename(path, join(folder, digest.slice('sha256:'.length)));
  const mediaType = `application/vnd.oci.image.layer.v1.tar${kind === 'gzip' ? '+gzip' : ''}`;
  return { layer: { mediaType, digest, size }, diffId: `sha256:${plainHash.digest('hex')}` };
}

async function writeJson(folder: string, mediaType: string, value: unknown): Promise<Blob> {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(folder, hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}
