import * as z from 'zod';
import { HyperupError, messageOf } from '../../base/errors.js';
import { parseReference } from '../../registry/reference.js';

/** The places in a bundle that are hyperup's own; the rest is an OCI image layout. */
export const bundleEntries = {
  manifest: 'hyperup/bundle.json',
  layout: 'oci-layout',
  index: 'index.json',
  lock: 'hyperup/hyperup.lock',
  kubectl: 'hyperup/kubectl',
} as const;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'want sha256:<64 hex digits>');
const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const descriptor = z.strictObject({ mediaType: z.string().min(1).max(255), digest, size });
const reference = z
  .string()
  .max(1000)
  .refine((text) => {
    try {
      const { tag } = parseReference(text);
      return tag !== undefined;
    } catch {
      return false;
    }
  }, 'want an image reference with a tag');

const image = z.strictObject({
  /** `etcd`; for the user's own, the reference. */
  name: z.string().min(1).max(1000),
  /** In full, domain and tag included. */
  reference,
  role: z.enum(['release', 'addon', 'kubelet', 'user']),
  manifest: descriptor,
  config: descriptor,
  /** The same image as an OCI manifest, where its own is Docker's: tools that read OCI layouts pass over those. */
  oci: descriptor.optional(),
  /** From the lowest up. `diffId` is the digest of the uncompressed layer. */
  layers: z.array(descriptor.extend({ diffId: digest })),
});

const schema = z.strictObject({
  format: z.literal(1),
  /** The hyperup that wrote it. */
  createdBy: z.string().max(200),
  /** The Kubernetes version that an install from this bundle makes, with its v. */
  release: z.string().max(100),
  platform: z.strictObject({ os: z.string().max(50), architecture: z.string().max(50) }),
  images: z.array(image).max(10_000),
  /** In the order of the archive, each once. */
  blobs: z.array(z.strictObject({ digest, size })).max(100_000),
  /** A program of its own in the bundle, or one in an image of it: hyperkube answers to that name. */
  kubectl: z
    .union([z.strictObject({ image: reference, path: z.string().max(1000) }), z.strictObject({ digest, size })])
    .optional(),
  lock: z.strictObject({ digest, size }).optional(),
  /** Only deltas: what was left out, and what has it. */
  base: z
    .strictObject({
      name: z.string().max(1000),
      digest,
      blobs: z.array(z.strictObject({ digest, size })).max(100_000),
    })
    .optional(),
});

/** What `hyperup/bundle.json` says: all contents with their digests and sizes (bytes). */
export type BundleManifest = z.infer<typeof schema>;
export type BundledImage = BundleManifest['images'][number];
export type BundledLayer = BundledImage['layers'][number];
export type SizedDigest = BundleManifest['blobs'][number];

/** `blobs/sha256/…` of a digest that was checked. */
export function blobEntry(blobDigest: string): string {
  return `blobs/${blobDigest.replace(':', '/')}`;
}

/** One line a field of the top, so that people can read it; the same contents give the same text. */
export function formatBundleManifest(manifest: BundleManifest): string {
  return `${JSON.stringify(schema.parse(manifest), undefined, 1)}\n`;
}

/**
 * Reads `bundle.json`. Throws `InvalidConfig` naming the field, or what contradicts what: every blob of an image is in
 * the bundle or in its base, once and with one size.
 */
export function parseBundleManifest(text: string, where: string): BundleManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw badManifest(where, `it is no JSON: ${messageOf(error)}`);
  }
  const format = typeof json === 'object' && json !== null && 'format' in json ? json.format : undefined;
  if (format !== 1) throw badManifest(where, `got format ${JSON.stringify(format)}, want 1`);
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw badManifest(where, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
  }
  const fault = contradiction(parsed.data);
  if (fault !== undefined) throw badManifest(where, fault);
  return parsed.data;
}

function contradiction({ images, blobs, base }: BundleManifest): string | undefined {
  const sizes = new Map<string, number>();
  for (const blob of [...blobs, ...(base?.blobs ?? [])]) {
    if (sizes.has(blob.digest)) return `blob ${blob.digest} is listed twice`;
    sizes.set(blob.digest, blob.size);
  }
  const names = new Set<string>();
  for (const { reference: name, manifest, config, oci, layers } of images) {
    if (names.has(name)) return `image ${name} is listed twice`;
    names.add(name);
    for (const blob of [manifest, config, ...(oci ? [oci] : []), ...layers]) {
      const known = sizes.get(blob.digest);
      if (known === undefined) return `image ${name} wants blob ${blob.digest}, which is not in the list of blobs`;
      if (known !== blob.size) return `blob ${blob.digest} has ${known} bytes in one place and ${blob.size} in another`;
    }
  }
  return undefined;
}

function badManifest(where: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `read ${where}: ${bundleEntries.manifest}: ${reason}`, {
    hint: 'The bundle is damaged or of another hyperup: make it again with hyperup images save.',
  });
}
