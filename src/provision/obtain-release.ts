import { HyperupError, isHyperupError } from '../base/errors.js';
import type { EmitProgress } from '../base/progress.js';
import type { ImageLayout, ReleaseSpec } from '../release/types.js';

export interface ObtainReleaseOptions<T> {
  /** First to last. */
  readonly releases: readonly ReleaseSpec[];
  /** Throws `ImageUnavailable`, as `obtainImages` does. */
  readonly obtain: (release: ReleaseSpec) => Promise<T>;
  readonly emit: EmitProgress;
}

const words: Readonly<Record<ImageLayout, string>> = {
  hyperkube: 'one hyperkube image for all components',
  component: 'an image for each component, with the built-in kubelet',
};

/**
 * The images of the first of these releases that can be had. The next one is tried only where it helps: not where an
 * image is missing that it needs too. Throws `ImageUnavailable` telling of all that was tried.
 */
export async function obtainRelease<T>(
  options: ObtainReleaseOptions<T>,
): Promise<{ readonly release: ReleaseSpec; readonly images: T }> {
  const failures: HyperupError[] = [];
  for (const [index, release] of options.releases.entries()) {
    try {
      return { release, images: await options.obtain(release) };
    } catch (error) {
      if (!isHyperupError(error, 'ImageUnavailable')) throw error;
      failures.push(error);
      const next = options.releases[index + 1];
      if (!next || !helps(next, error)) break;
      const names = missingImages(error).map(({ reference }) => reference);
      const message = `no source has ${names.join(', ')}: hyperup tries ${words[next.layout]}`;
      options.emit({ type: 'note', level: 'warn', message });
    }
  }
  throw together(failures);
}

/** What `imagesUnavailable` says of an image. */
interface Missing {
  readonly name: string;
  readonly reference: string;
  readonly sources: readonly { readonly source: string; readonly outcome: string }[];
}

function missingImages(error: HyperupError): readonly Missing[] {
  const { images } = error.details;
  return Array.isArray(images) ? (images as readonly Missing[]) : [];
}

/** A build that was not begun may yet make an image: it was left out for the sake of another one that is missing. */
function helps(next: ReleaseSpec, error: HyperupError): boolean {
  const wanted = new Set(next.images.map(({ name }) => name));
  const isLost = ({ sources }: Missing) =>
    !sources.some(({ source, outcome }) => source.startsWith('build ') && outcome === 'skipped');
  return !missingImages(error).some((image) => wanted.has(image.name) && isLost(image));
}

function together(failures: readonly HyperupError[]): HyperupError {
  const [first, ...others] = failures;
  if (!first) return new HyperupError('Internal', 'obtain images: no release was named');
  if (others.length === 0) return first;
  return new HyperupError('ImageUnavailable', failures.map(({ message }) => message).join('\n'), {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    details: { images: failures.flatMap(missingImages) },
    cause: failures.at(-1),
  });
}
