import type { ImageEngine, ImageSummary } from '../docker/types.js';
import { baseName, formatReference, type ImageReference, parseReference } from '../registry/reference.js';
import type { ReleaseImage } from '../release/types.js';
import { canonicalTag } from './list-images.js';
import { mirrorCandidates, parseMirrors } from './mirror-spec.js';
import type { TagChange } from './obtain-run.js';
import { imageFault } from './verify-image.js';

/** What `images tag` did for one image. */
export interface TagResult {
  readonly name: string;
  readonly reference: string;
  readonly outcome: 'tagged' | 'present' | 'missing';
  /** The name that it was found under. */
  readonly from: string | undefined;
}

export interface TagOptions {
  readonly engine: Pick<ImageEngine, 'inspectImage' | 'listImages' | 'tagImage'>;
  readonly images: readonly ReleaseImage[];
  /** As `--mirror` takes them; names under these come before others. */
  readonly mirrors: readonly string[];
  /** In an image's terms; undefined: not checked. */
  readonly architecture?: string | undefined;
  readonly onTag: (change: TagChange) => Promise<void>;
}

/**
 * Puts the canonical names on images that were pulled or loaded under a mirror's names, without any network: those
 * that a mirror of the list would use, else any with the same last element and tag. Other names stay. Idempotent.
 */
export async function tagImages(options: TagOptions): Promise<readonly TagResult[]> {
  const { entries } = parseMirrors(options.mirrors);
  const local = await localNames(options.engine);
  const results: TagResult[] = [];
  for (const image of options.images) {
    const reference = canonicalTag(image);
    const canonical = parseReference(image.reference);
    const digests = canonical.digest === undefined ? undefined : [canonical.digest];
    const want = { architecture: options.architecture, digests };
    const present = await options.engine.inspectImage(reference);
    if (present && !imageFault(reference, present, want)) {
      results.push({ name: image.name, reference, outcome: 'present', from: undefined });
      continue;
    }
    const preferred = entries.flatMap((entry) =>
      entry === 'upstream' ? [] : mirrorCandidates(entry, { ...canonical, digest: undefined }).map(formatReference),
    );
    const found = [...preferred, ...local.filter(({ name }) => alike(name, canonical)).map(({ text }) => text)]
      .flatMap((text) => local.filter((entry) => entry.text === text))
      .find(({ text, summary }) => text !== reference && !imageFault(text, summary, want));
    if (found) {
      await options.onTag({ reference, previousId: present?.id, pulledAs: undefined });
      await options.engine.tagImage(found.summary.id, reference);
    }
    results.push({ name: image.name, reference, outcome: found ? 'tagged' : 'missing', from: found?.text });
  }
  return results;
}

interface LocalName {
  readonly text: string;
  readonly name: ImageReference;
  readonly summary: ImageSummary;
}

async function localNames(engine: Pick<ImageEngine, 'listImages'>): Promise<readonly LocalName[]> {
  const images = await engine.listImages();
  return images.flatMap((summary) =>
    summary.tags.map((tag) => {
      const name = parseReference(tag);
      return { text: formatReference(name), name, summary };
    }),
  );
}

function alike(name: ImageReference, canonical: ImageReference): boolean {
  return baseName(name) === baseName(canonical) && (name.tag ?? 'latest') === (canonical.tag ?? 'latest');
}
