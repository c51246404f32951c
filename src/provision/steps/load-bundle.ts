import { basename } from 'node:path';
import { formatBytes } from '../../base/bytes.js';
import { HyperupError } from '../../base/errors.js';
import type { InstallOptions } from '../../config/types.js';
import type { Engine } from '../../docker/types.js';
import { kubeletImageReference, kubeletProgram } from '../../imagebuild/kubelet-image.js';
import type { BundledImage } from '../../mirror/bundle/bundle-format.js';
import { loadIntoEngine } from '../../mirror/bundle/load-engine.js';
import { type Bundle, openBundle } from '../../mirror/bundle/open-bundle.js';
import type { SurveyedImage } from '../../mirror/survey.js';
import { imageFault } from '../../mirror/verify-image.js';
import { familiarName, formatReference, parseReference } from '../../registry/reference.js';
import { releaseFor } from '../../release/release-for.js';
import type { ImageLayout } from '../../release/types.js';
import { assertArchitecture } from '../bundle-load.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';

/** With a bundle neither a registry is asked nor anything built, whatever else is configured. */
export function withoutNetwork(options: InstallOptions): InstallOptions {
  if (options.images.bundle === undefined) return options;
  return { ...options, images: { ...options.images, mirrors: ['none'], build: false } };
}

/** Throws `Conflict` where the bundle is of another release than is to be installed. */
export function assertRelease({ name, manifest }: Bundle, kubernetesVersion: string): void {
  if (manifest.release === kubernetesVersion) return;
  throw new HyperupError(
    'Conflict',
    `install from ${name}: it holds Kubernetes ${manifest.release}, want ${kubernetesVersion}`,
    { hint: `Pass --kubernetes-version ${manifest.release}, or make a bundle of ${kubernetesVersion}.` },
  );
}

/** The image of a bundle by any spelling of its reference. */
export function bundledImage(bundle: Bundle, reference: string): BundledImage | undefined {
  const full = formatReference(parseReference(reference));
  return bundle.manifest.images.find((image) => image.reference === full);
}

/** What a dry run needs of a bundle. */
export interface BundledSizes {
  readonly file: string;
  /** Bytes of layers and config, by full reference. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Looks into the bundle of these options, where there is one. Throws as the install would that can't use it. */
export async function readBundled({ images, cluster }: InstallOptions): Promise<BundledSizes | undefined> {
  if (images.bundle === undefined) return undefined;
  const bundle = await openBundle(images.bundle);
  try {
    assertRelease(bundle, cluster.kubernetesVersion);
    const sizes = bundle.manifest.images.map(({ reference, config, layers }): [string, number] => [
      reference,
      layers.reduce((sum, { size }) => sum + size, config.size),
    ]);
    return { file: images.bundle, sizes: new Map(sizes) };
  } finally {
    await bundle.close();
  }
}

/** What a survey didn't find anywhere else, as the bundle has it. */
export function fromBundle(
  found: readonly SurveyedImage[],
  bundled: BundledSizes | undefined,
): readonly SurveyedImage[] {
  return found.map((image) => {
    const sizeBytes = bundled?.sizes.get(formatReference(parseReference(image.reference)));
    if (image.source !== 'unavailable' || bundled === undefined || sizeBytes === undefined) return image;
    return { ...image, source: 'bundle', detail: bundled.file, sizeBytes };
  });
}

/** Brings what the engine lacks from the bundle; from then on the engine has everything. */
export const loadBundleStep: Step<InstallContext> = {
  id: 'bundle',
  title: 'Load the bundle',
  skip: ({ options }) => (options.images.bundle === undefined ? 'none was named' : undefined),
  async run(context, io) {
    const { options, runtime, slots, plan } = context;
    const bundle = await openBundle(options.images.bundle ?? '', { signal: runtime.signal });
    try {
      const engine = slot(context, 'engine');
      const journal = slot(context, 'journal');
      assertRelease(bundle, options.cluster.kubernetesVersion);
      assertArchitecture(bundle, slot(context, 'engineInfo').architecture);
      await assertComplete(engine, bundle, options, plan.layouts);
      const images = await lackingImages(engine, bundle);
      for (const { reference } of images) {
        const name = familiarName(parseReference(reference));
        const previousId = (await engine.inspectImage(name))?.id;
        await journal.record({ kind: 'imageTag', reference: name, previousId, pulledAs: undefined });
      }
      const source = basename(bundle.name);
      await loadIntoEngine({
        bundle,
        engine,
        images,
        signal: runtime.signal,
        onBytes: (currentBytes, totalBytes) =>
          io.emit({ type: 'transfer', image: `${images.length} images`, source, currentBytes, totalBytes }),
      });
      const kubelet = kubeletImageReference(runtime.packageVersion);
      if (bundledImage(bundle, kubelet))
        slots.kubeletImage = Promise.resolve({ image: kubelet, program: kubeletProgram });
      if (images.length === 0) return 'the engine has all of it already';
      const layers = new Map(
        images.flatMap((image) => image.layers.map(({ digest, size }) => [digest, size] as const)),
      );
      return `${images.length} images, ${formatBytes([...layers.values()].reduce((sum, size) => sum + size, 0))}`;
    } finally {
      await bundle.close();
    }
  },
};

/** Those that the engine has not: the release's by name, for its own come first; the rest as they are in the bundle. */
async function lackingImages(engine: Pick<Engine, 'inspectImage'>, bundle: Bundle): Promise<readonly BundledImage[]> {
  const lacking: BundledImage[] = [];
  for (const image of bundle.manifest.images) {
    const found = await engine.inspectImage(image.reference);
    const isRelease = image.role === 'release' || image.role === 'addon';
    const isThere =
      found !== undefined &&
      (isRelease
        ? isFit(image.reference, found, bundle)
        : [image.config.digest, image.manifest.digest].includes(found.id));
    if (!isThere) lacking.push(image);
  }
  return lacking;
}

function isFit(reference: string, found: Parameters<typeof imageFault>[1], { manifest }: Bundle): boolean {
  return (
    imageFault(reference, found, { architecture: manifest.platform.architecture, digests: undefined }) === undefined
  );
}

/** Throws `ImageUnavailable` where no layout of the release is whole in engine and bundle together. */
async function assertComplete(
  engine: Pick<Engine, 'inspectImage'>,
  bundle: Bundle,
  { cluster }: InstallOptions,
  layouts: readonly ImageLayout[],
): Promise<void> {
  const missing: string[] = [];
  for (const layout of layouts) {
    const { images } = releaseFor(cluster.kubernetesVersion, layout);
    const lacking: string[] = [];
    for (const { reference } of images) {
      if (bundledImage(bundle, reference) === undefined && !(await engine.inspectImage(reference)))
        lacking.push(reference);
    }
    if (lacking.length === 0) return;
    if (missing.length === 0) missing.push(...lacking);
  }
  throw new HyperupError(
    'ImageUnavailable',
    `install from ${bundle.name}: neither it nor the engine has ${missing.join(', ')}`,
    {
      hint: 'Make the bundle again with hyperup images save, for this release and this kubelet.',
      details: { missing },
    },
  );
}
