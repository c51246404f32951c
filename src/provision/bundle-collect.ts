import { HyperupError, isHyperupError, messageOf } from '../base/errors.js';
import type { SetOptions } from '../config/transfer-options.js';
import type { InstallOptions } from '../config/types.js';
import type { Engine } from '../docker/types.js';
import type { BlobStage } from '../mirror/bundle/blob-stage.js';
import type { BundledImage } from '../mirror/bundle/bundle-format.js';
import type { CollectedImage } from '../mirror/bundle/collect-archive.js';
import type { BlobFetcher } from '../mirror/content/types.js';
import { formatPlatform } from '../mirror/copy/choose-platform.js';
import { resolveImage } from '../mirror/copy/resolve.js';
import { lockedDigests, lockedImage, lockedPlatform } from '../mirror/lock/lookup.js';
import type { ImageLock } from '../mirror/lock/types.js';
import { parseMirrors } from '../mirror/mirror-spec.js';
import { imageFault } from '../mirror/verify-image.js';
import { formatReference, parseReference, taggedOnly } from '../registry/reference.js';
import type { Platform, RegistryClients } from '../registry/types.js';
import { releaseFor } from '../release/release-for.js';
import type { ReleaseSpec } from '../release/types.js';
import { obtainRelease } from './obtain-release.js';
import { planKubelet } from './plan-kubelet.js';
import type { Runtime } from './runtime.js';

/** An image that is to go into a bundle or a registry. */
export interface WantedImage {
  readonly name: string;
  /** In full, with a tag. */
  readonly reference: string;
  /** What the user's reference pins. */
  readonly digest: string | undefined;
  readonly role: BundledImage['role'];
}

export interface CollectTools {
  /** Undefined where none answers: then everything comes from mirrors. */
  readonly engine: Engine | undefined;
  readonly clients: RegistryClients;
  readonly fetcher: BlobFetcher;
  readonly platform: Platform;
  readonly lock: ImageLock | undefined;
}

export interface CollectChoice {
  /** The user's own. */
  readonly images: readonly string[];
  /** Add-ons of the release by name. */
  readonly addons: readonly string[];
  /** Keep layers from the engine compressed. */
  readonly compress: boolean;
  /** Layers that a delta leaves out. */
  readonly without: ReadonlySet<string>;
}

export interface CollectedSet {
  readonly release: ReleaseSpec;
  readonly images: readonly BundledImage[];
  /** Where each came from, by reference: `engine`, `mirrors` or `built`. */
  readonly from: ReadonlyMap<string, string>;
}

/** The lock that every image is held to, where the user named one. */
export async function readChosenLock({ lock }: InstallOptions['images']): Promise<ImageLock | undefined> {
  if (lock === undefined) return undefined;
  // YAML and its schema take as long to load as all else.
  return await (await import('../mirror/lock/lock-file.js')).readLockFile(lock);
}

/** The release's images in that layout, chosen add-ons and the user's own; each reference once. Throws `Usage`. */
export function wantedImages(
  release: ReleaseSpec,
  choice: Pick<CollectChoice, 'images' | 'addons'>,
): readonly WantedImage[] {
  const addons = [release.coredns];
  const known = addons.map(({ name }) => name);
  const unknown = choice.addons.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new HyperupError('Usage', `choose add-ons: got ${unknown.join(', ')}, want some of ${known.join(', ')}`);
  }
  const ofRelease = [
    ...release.images.map((image) => ({ ...image, role: 'release' as const })),
    ...addons.filter(({ name }) => choice.addons.includes(name)).map((image) => ({ ...image, role: 'addon' as const })),
  ];
  const own = choice.images.map((text) => ({ name: text, reference: text, role: 'user' as const }));
  const wanted = [...ofRelease, ...own].map(({ name, reference, role }): WantedImage => {
    const parsed = parseReference(reference);
    const tagged = taggedOnly(parsed);
    if (tagged === undefined) {
      throw new HyperupError('Usage', `choose image ${reference}: it has a digest and no tag to call it by`, {
        hint: 'Write NAME:TAG@DIGEST.',
      });
    }
    return { name, reference: formatReference(tagged), digest: parsed.digest, role };
  });
  return wanted.filter(({ reference }, index) => wanted.findIndex((other) => other.reference === reference) === index);
}

/** The layouts of the release that an install would try, first to last. */
export function plannedReleases({ cluster }: Pick<SetOptions, 'cluster'>): readonly ReleaseSpec[] {
  const plan = planKubelet(cluster.kubelet, releaseFor(cluster.kubernetesVersion));
  return plan.layouts.map((layout) => releaseFor(cluster.kubernetesVersion, layout));
}

/**
 * Brings everything that a bundle of these options holds into the stage: from the engine what it has, the rest through
 * the mirrors. The first layout of the release that can be had as a whole is taken, as an install would. Throws
 * `ImageUnavailable` naming what no source has.
 */
export async function collectSet(
  options: InstallOptions,
  choice: CollectChoice,
  tools: CollectTools,
  stage: BlobStage,
  runtime: Runtime,
): Promise<CollectedSet> {
  const { release, images: found } = await obtainRelease({
    releases: plannedReleases(options),
    emit: runtime.emit,
    obtain: (release) => collectWanted(options, wantedImages(release, choice), choice, tools, stage, runtime),
  });
  return { release, ...found };
}

/** As `collectSet`, for images that are settled. */
export async function collectWanted(
  options: InstallOptions,
  wanted: readonly WantedImage[],
  choice: Pick<CollectChoice, 'compress' | 'without'>,
  tools: CollectTools,
  stage: BlobStage,
  runtime: Runtime,
): Promise<Omit<CollectedSet, 'release'>> {
  const { emit, signal } = runtime;
  const mirrors = parseMirrors(options.images.mirrors);
  const lock = tools.lock && lockedDigests(tools.lock);
  const from = new Map<string, string>();
  const images = new Map<string, CollectedImage>();
  const inEngine: WantedImage[] = [];
  for (const image of wanted) if (await engineHas(image, tools)) inEngine.push(image);
  const missing: { readonly image: WantedImage; readonly reason: string }[] = [];
  // First the mirrors: what they lack ends the run before the engine's gigabytes are read.
  for (const image of wanted.filter((candidate) => !inEngine.includes(candidate))) {
    const step = { type: 'step', step: `image ${image.name}`, title: image.reference } as const;
    emit({ ...step, state: 'started' });
    try {
      const { collectFromRegistry } = await import('../mirror/bundle/collect-registry.js');
      const found = await collectFromRegistry(askedReference(image), {
        ...tools,
        lock,
        mirrors,
        stage,
        without: choice.without,
        emit,
        signal,
      });
      images.set(image.reference, found);
      from.set(image.reference, 'mirrors');
      emit({ ...step, state: 'done', detail: 'from mirrors' });
    } catch (error) {
      emit({ ...step, state: 'failed', detail: messageOf(error) });
      if (!isHyperupError(error, 'ImageUnavailable') && !isHyperupError(error, 'NotFound')) throw error;
      missing.push({ image, reason: messageOf(error) });
    }
  }
  if (missing.length > 0) throw nobodyHas(missing, tools);
  for (const [reference, image] of await collectFromEngine(inEngine, choice, tools, stage, runtime)) {
    images.set(reference, image);
    from.set(reference, 'engine');
  }
  const bundled = wanted.map(({ name, reference, role }): BundledImage => {
    const image = images.get(reference);
    if (image === undefined) throw new HyperupError('Internal', `save ${reference}: it was not collected`);
    return { name, reference, role, ...partsOf(image) };
  });
  return { images: bundled, from };
}

/** Where one image would come from, for a dry run. Asks registries for manifests alone. */
export async function surveyWanted(
  image: WantedImage,
  options: InstallOptions,
  tools: CollectTools,
  { signal }: Runtime,
): Promise<{
  readonly name: string;
  readonly reference: string;
  readonly source: 'engine' | 'mirror' | 'unavailable';
  readonly detail: string;
  readonly sizeBytes: number | undefined;
}> {
  const { name, reference } = image;
  if (await engineHas(image, tools)) {
    const sizeBytes = (await tools.engine?.inspectImage(reference))?.sizeBytes;
    return { name, reference, source: 'engine', detail: 'already there', sizeBytes };
  }
  try {
    const lock = tools.lock && lockedDigests(tools.lock);
    const { sources } = await resolveImage(askedReference(image), parseMirrors(options.images.mirrors), tools.clients, {
      lock,
      signal,
    });
    const detail = sources.map((source) => formatReference(source.reference)).join(', ');
    return { name, reference, source: 'mirror', detail, sizeBytes: undefined };
  } catch (error) {
    if (isHyperupError(error, 'Aborted')) throw error;
    return { name, reference, source: 'unavailable', detail: messageOf(error), sizeBytes: undefined };
  }
}

/** With the digest that the user pinned, where there is one. */
export function askedReference({ reference, digest }: WantedImage): string {
  return digest === undefined ? reference : `${reference}@${digest}`;
}

/** True where the engine has it for that platform, as pinned and as locked. */
export async function engineHas(
  { reference, digest }: WantedImage,
  { engine, platform, lock }: CollectTools,
): Promise<boolean> {
  const found = await engine?.inspectImage(reference);
  if (found === undefined || platform.os !== 'linux') return false;
  const { architecture } = platform;
  if (
    imageFault(reference, found, { architecture, digests: digest === undefined ? undefined : [digest] }) !== undefined
  )
    return false;
  const entry = lockedImage(lock, reference);
  const locked = entry && lockedPlatform(entry, platform);
  return locked === undefined || [locked.config, locked.manifest, entry?.digest].includes(found.id);
}

/** Images that the engine has, brought into the stage, by reference. */
export async function collectFromEngine(
  wanted: readonly WantedImage[],
  choice: Pick<CollectChoice, 'compress'>,
  { engine }: CollectTools,
  stage: BlobStage,
  { emit, signal }: Runtime,
): Promise<ReadonlyMap<string, CollectedImage>> {
  const found = new Map<string, CollectedImage>();
  if (wanted.length === 0 || engine === undefined) return found;
  const step = { type: 'step', step: 'engine images', title: `Save ${wanted.length} images of the engine` } as const;
  emit({ ...step, state: 'started' });
  // Most have everything from mirrors, and archives their time to load.
  const { collectArchive } = await import('../mirror/bundle/collect-archive.js');
  const archive = await engine.saveImages(wanted.map(({ reference }) => reference));
  for (const { tags, ...image } of await collectArchive(archive, stage, { gzip: choice.compress, signal })) {
    for (const tag of tags) found.set(formatReference(parseReference(tag)), image);
  }
  for (const { reference } of wanted) {
    if (!found.has(reference)) {
      throw new HyperupError('EngineFailed', `save ${reference}: the engine's archive has no image of that name`);
    }
  }
  emit({ ...step, state: 'done' });
  return found;
}

/** Without what else its collector said of it. */
export function partsOf({
  manifest,
  config,
  oci,
  layers,
}: CollectedImage): Pick<BundledImage, 'manifest' | 'config' | 'oci' | 'layers'> {
  return { manifest, config, ...(oci ? { oci } : {}), layers: [...layers] };
}

/** What says of each image why no source has it; `obtainRelease` reads its details. */
export function nobodyHas(
  missing: readonly { readonly image: WantedImage; readonly reason: string }[],
  { engine, platform }: CollectTools,
): HyperupError {
  const where = engine === undefined ? 'no engine answers' : `the engine has it not for ${formatPlatform(platform)}`;
  const lines = missing.map(({ image, reason }) => `${image.reference}\n  - engine: ${where}\n  - ${reason}`);
  return new HyperupError(
    'ImageUnavailable',
    `save images: no source has ${missing.length} of them\n${lines.join('\n')}`,
    {
      hint: 'Name a registry that has them with --mirror, or let hyperup images pull get or build them first.',
      details: {
        images: missing.map(({ image, reason }) => ({
          name: image.name,
          reference: image.reference,
          sources: [],
          reason,
        })),
      },
    },
  );
}
