import type { ImageSummary } from './types.js';

/** `GET /images/{name}/json`, as far as it is read. Engines from 29 leave empty fields out. */
export interface WireImage {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
  readonly Size?: number;
  readonly VirtualSize?: number;
  readonly Created?: string;
  readonly Architecture?: string;
  readonly RootFS?: { readonly Layers?: readonly string[] | null } | null;
  readonly Config?: { readonly Labels?: Readonly<Record<string, string>> | null } | null;
}

/** An image as hyperup sees it. */
export function toImageSummary(image: WireImage): ImageSummary {
  const named = (names: readonly string[] | null | undefined) =>
    (names ?? []).filter((name) => !name.startsWith('<none>'));
  return {
    id: image.Id,
    tags: named(image.RepoTags),
    digests: named(image.RepoDigests),
    sizeBytes: image.Size ?? image.VirtualSize ?? 0,
    createdAt: image.Created ?? '',
    architecture: image.Architecture ?? '',
    labels: image.Config?.Labels ?? {},
    layers: image.RootFS?.Layers ?? [],
  };
}
