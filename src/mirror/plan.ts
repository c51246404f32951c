import type { ImageOptions } from '../config/types.js';
import { formatReference, type ImageReference, parseReference, taggedOnly } from '../registry/reference.js';
import type { BuildRecipe, ReleaseImage, ReleaseSpec } from '../release/types.js';
import { lockAllows, lockedImage } from './lock/lookup.js';
import type { ImageLock, LockEntry } from './lock/types.js';
import { mirrorCandidates, parseMirrors } from './mirror-spec.js';

/** One place that an image may come from. */
export type ImageSource =
  | { readonly kind: 'engine'; readonly reference: string }
  | {
      readonly kind: 'mirror';
      /** The mirror as the user named it. */
      readonly mirror: string;
      readonly host: string;
      readonly reference: string;
      readonly scheme?: 'http' | 'https' | undefined;
    }
  | { readonly kind: 'upstream'; readonly host: string; readonly reference: string }
  | { readonly kind: 'build'; readonly recipe: BuildRecipe }
  /** None at all: the lock forbids every other. */
  | { readonly kind: 'lock'; readonly reason: string };

export type RegistrySource = Extract<ImageSource, { kind: 'mirror' | 'upstream' }>;

/** Where one image is looked for, first to last. */
export interface ImagePlan {
  readonly image: ReleaseImage;
  /** The canonical name without a digest: what is put on the image, whatever it came as. */
  readonly tag: string;
  /** What the canonical reference pins, where it pins anything. */
  readonly digest: string | undefined;
  /** What the lock says of it, where there is a lock. */
  readonly locked: LockEntry | undefined;
  readonly sources: readonly ImageSource[];
}

/**
 * The order in which each image of the release is looked for: the engine, the mirrors as the user ordered them, the
 * canonical name (where the user put it, else after the mirrors; never with `none`), and building where that is
 * allowed and known. With a lock nothing is built, and what it doesn't name has no source. Pure. Throws `InvalidConfig`
 * for a mirror or reference that can't be read.
 */
export function planImages(
  release: Pick<ReleaseSpec, 'images'>,
  options: Pick<ImageOptions, 'mirrors' | 'build'>,
  lock?: ImageLock,
): readonly ImagePlan[] {
  const { entries } = parseMirrors(options.mirrors);
  return release.images.map((image) => {
    const canonical = parseReference(image.reference);
    const named = taggedOnly(canonical);
    const tag = named ? formatReference(named) : formatReference(canonical);
    const locked = lockedImage(lock, image.reference);
    const reason = lock && lockFault(locked, tag, canonical.digest);
    if (reason !== undefined) {
      return { image, tag, digest: canonical.digest, locked, sources: [{ kind: 'lock', reason }] };
    }
    const sources: ImageSource[] = [{ kind: 'engine', reference: tag }];
    for (const entry of entries) {
      // What has only a digest can't be given its name by tagging, so no other registry can stand in.
      const candidates = entry === 'upstream' ? [canonical] : named ? mirrorCandidates(entry, canonical) : [];
      for (const candidate of candidates) {
        const reference = pullReference(candidate);
        const host = candidate.domain;
        if (reference === pullReference(canonical)) sources.push({ kind: 'upstream', host, reference });
        else if (entry !== 'upstream') {
          sources.push({ kind: 'mirror', mirror: entry.name, host, reference, scheme: entry.scheme });
        }
      }
    }
    // No build can meet a pinned digest.
    if (options.build && image.recipe && canonical.digest === undefined && !locked) {
      sources.push({ kind: 'build', recipe: image.recipe });
    }
    return { image, tag, digest: canonical.digest, locked, sources: withoutRepeats(sources) };
  });
}

function lockFault(entry: LockEntry | undefined, tag: string, pinned: string | undefined): string | undefined {
  if (!entry) return `it does not name ${tag}`;
  if (pinned === undefined || lockAllows(entry, pinned)) return undefined;
  return `it has ${tag} as ${entry.digest}, want ${pinned}`;
}

/** A source in a few words, for messages: `mirror 127.0.0.1:5000/k8s/etcd:3.4.13-0`. */
export function describeSource(source: ImageSource): string {
  switch (source.kind) {
    case 'engine':
      return 'engine';
    case 'mirror':
      return `mirror ${source.reference}`;
    case 'upstream':
      return `upstream ${source.reference}`;
    case 'build':
      return `build ${source.recipe}`;
    case 'lock':
      return 'lock';
  }
}

/** With a digest the tag is left out: the engine would ignore it, and could not find the image under it afterwards. */
function pullReference(reference: ImageReference): string {
  if (reference.digest === undefined) return formatReference({ ...reference, tag: reference.tag ?? 'latest' });
  return formatReference({ domain: reference.domain, path: reference.path, digest: reference.digest });
}

function withoutRepeats(sources: readonly ImageSource[]): readonly ImageSource[] {
  const seen = new Set<string>();
  return sources.filter((source) => {
    const key = source.kind === 'mirror' || source.kind === 'upstream' ? source.reference : source.kind;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
