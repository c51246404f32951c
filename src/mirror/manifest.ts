import { z } from 'zod';

/** Every manifest type that engines pull; without it a registry converts to the long-dead schema 1. */
export const manifestAccept = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

const descriptor = z.object({ digest: z.string(), size: z.number().nonnegative() });
const imageManifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const manifestList = z.object({
  manifests: z.array(
    z.object({
      digest: z.string(),
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});

export type ManifestSize =
  | { readonly ok: true; readonly sizeBytes: number | undefined }
  | { readonly ok: false; readonly kind: 'notRegistry' | 'platform'; readonly reason: string };

/**
 * What a pull for `linux/<architecture>` brings in, in compressed bytes. A manifest list is followed through `fetch`,
 * and is a failure where it has nothing for that platform; what can't be told is undefined. Schema 1 has no sizes.
 */
export async function manifestSize(
  body: Buffer,
  architecture: string | undefined,
  fetch: (digest: string) => Promise<Buffer | undefined>,
): Promise<ManifestSize> {
  const json = parseJson(body);
  if (json === undefined) return { ok: false, kind: 'notRegistry', reason: 'its manifest is not JSON' };
  const list = manifestList.safeParse(json);
  if (!list.success) return { ok: true, sizeBytes: sizeOf(json) };
  if (architecture === undefined) return { ok: true, sizeBytes: undefined };
  const platforms = list.data.manifests.flatMap((entry) => (entry.platform ? [entry.platform] : []));
  const match = list.data.manifests.find(
    (entry) => entry.platform?.os === 'linux' && entry.platform.architecture === architecture,
  );
  if (match) {
    const child = await fetch(match.digest);
    return { ok: true, sizeBytes: child === undefined ? undefined : sizeOf(parseJson(child)) };
  }
  if (platforms.length < list.data.manifests.length) return { ok: true, sizeBytes: undefined };
  const offered = platforms.map((platform) => `${platform.os}/${platform.architecture}`).join(', ');
  return {
    ok: false,
    kind: 'platform',
    reason: `it has nothing for linux/${architecture}, only ${offered || 'nothing'}`,
  };
}

function sizeOf(json: unknown): number | undefined {
  const image = imageManifest.safeParse(json);
  if (!image.success) return undefined;
  return image.data.layers.reduce((sum, layer) => sum + layer.size, image.data.config.size);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
