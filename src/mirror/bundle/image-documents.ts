import * as z from 'zod';
import { mediaTypes } from '../content/media-types.js';
import type { BundledImage } from './bundle-format.js';

const descriptor = z.object({
  mediaType: z.string().optional(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.number().int().nonnegative(),
});
const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor),
});
const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  created: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)) }),
});

export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

/** An image manifest, OCI's or Docker's schema 2; undefined where the bytes are none. */
export function readImageManifest(bytes: Buffer): ImageManifest | undefined {
  return read(manifestSchema, bytes);
}

/** What of an image's config is needed; undefined where the bytes are none. */
export function readImageConfig(bytes: Buffer): ImageConfig | undefined {
  return read(configSchema, bytes);
}

/** How `bundle.json`'s word on an image differs from the image's own documents; undefined where it doesn't. */
export function checkImage(image: BundledImage, manifestBytes: Buffer, configBytes: Buffer): string | undefined {
  const manifest = readImageManifest(manifestBytes);
  if (manifest === undefined) return `${image.manifest.digest} is no image manifest`;
  const config = readImageConfig(configBytes);
  if (config === undefined) return `${image.config.digest} is no image config`;
  const blobs = (list: readonly { readonly digest: string; readonly size: number }[]) =>
    list.map(({ digest, size }) => `${digest} ${size}`).join(', ');
  const wanted = blobs([manifest.config, ...manifest.layers]);
  const got = blobs([image.config, ...image.layers]);
  if (wanted !== got) return 'its manifest names other blobs than bundle.json';
  const diffIds = image.layers.map(({ diffId }) => diffId).join(', ');
  if (diffIds !== config.rootfs.diff_ids.join(', ')) return 'its config names other layers than bundle.json';
  return undefined;
}

/** The manifest of an image that had none of its own. Pure: the same parts give the same bytes. */
export function makeManifest(parts: {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}): Buffer {
  const { config, layers } = parts;
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
}

function read<T>(schema: z.ZodType<T>, bytes: Buffer): T | undefined {
  try {
    return schema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
