import type { Clock } from '../../base/clock.js';
import { isHyperupError, messageOf, throwIfAborted } from '../../base/errors.js';
import type { EmitProgress } from '../../base/progress.js';
import { parseReference } from '../../registry/reference.js';
import type { Descriptor, ManifestContent, Platform, RegistryClient, RegistryClients } from '../../registry/types.js';
import type { ReleaseImage } from '../../release/types.js';
import { parseManifest } from '../content/image-manifest.js';
import { choosePlatform, formatPlatform } from '../copy/choose-platform.js';
import { inParallel } from '../copy/in-parallel.js';
import { configPlatform } from '../image-config.js';
import { planImages, type RegistrySource } from '../plan.js';
import type { RegistryProbe } from '../registry-probe.js';
import { sharedSignal, withinLimit } from '../time-limit.js';
import { lockKey } from './lookup.js';
import type { LockEntry, LockedPlatform } from './types.js';

export interface LockImagesOptions {
  readonly images: readonly ReleaseImage[];
  /** As `--mirror` takes them. Upstream is believed first wherever it stands in the list, unless it says `none`. */
  readonly mirrors: readonly string[];
  /** `all`: every platform that the image has. */
  readonly platforms: 'all' | readonly Platform[];
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  readonly probe: RegistryProbe;
  readonly emit: EmitProgress;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** What came of locking one image. */
export type LockedImage =
  | {
      readonly name: string;
      readonly reference: string;
      readonly entry: LockEntry;
      readonly trust: 'upstream' | 'mirror';
    }
  | {
      readonly name: string;
      readonly reference: string;
      readonly entry: undefined;
      /** One a source, in the order asked. */
      readonly reasons: readonly string[];
    };

const imagesAtOnce = 4;
const manifestsAtOnce = 4;
const manifestMs = 15_000;
const maxDepth = 3;

/**
 * Finds out what each image stands for. Who is believed: the canonical registry; where it doesn't serve, the mirrors in
 * the user's order, which is told as a warning. Nothing is downloaded but manifests. A platform that an image lacks is a
 * reason of its source. Throws `InvalidConfig` for malformed references and mirrors, and `Aborted`.
 */
export async function lockImages(given: LockImagesOptions): Promise<readonly LockedImage[]> {
  const options = { ...given, signal: sharedSignal(given.signal) };
  const plans = planImages({ images: options.images }, { mirrors: options.mirrors, build: false });
  const results = new Map<string, LockedImage>();
  for (const { host, scheme } of plans.flatMap(({ sources }) => sources.flatMap(registrySource))) {
    options.probe.greet(host, scheme);
  }
  await inParallel(plans, imagesAtOnce, options.signal, async (plan) => {
    const sources = plan.sources.flatMap(registrySource);
    const trusted = [
      ...sources.filter(({ kind }) => kind === 'upstream'),
      ...sources.filter(({ kind }) => kind === 'mirror'),
    ];
    results.set(plan.tag, await lockImage(plan.image, trusted, options));
  });
  return plans.flatMap(({ tag }) => results.get(tag) ?? []);
}

type Asked = RegistrySource & { readonly scheme?: 'http' | 'https' | undefined };

function registrySource(source: { readonly kind: string } | RegistrySource): readonly Asked[] {
  return source.kind === 'mirror' || source.kind === 'upstream' ? [source as Asked] : [];
}

async function lockImage(
  image: ReleaseImage,
  sources: readonly Asked[],
  options: LockImagesOptions,
): Promise<LockedImage> {
  const { emit, signal } = options;
  const named = { name: image.name, reference: lockKey(image.reference) };
  const reasons: string[] = [];
  for (const source of sources) {
    throwIfAborted(signal, `lock ${image.name}`);
    emit({ type: 'wait', step: `lock ${image.name}`, reason: `asking ${source.host} for ${image.name}` });
    try {
      const entry = await entryFrom(source, options);
      if (typeof entry === 'string') reasons.push(`${source.reference}: ${entry}`);
      else {
        if (source.kind === 'mirror') tellTrust(image, source, reasons, emit);
        return { ...named, entry, trust: source.kind };
      }
    } catch (error) {
      throwIfAborted(signal, `lock ${image.name}`);
      if (!isHyperupError(error)) throw error;
      reasons.push(`${source.reference}: ${messageOf(error)}`);
    }
  }
  return { ...named, entry: undefined, reasons };
}

function tellTrust(image: ReleaseImage, source: Asked, reasons: readonly string[], emit: EmitProgress): void {
  const why = reasons[0] === undefined ? 'the canonical registry is not to be asked' : reasons.join('; ');
  emit({
    type: 'note',
    level: 'warn',
    message: `${image.name}: believed ${source.reference}, since ${why}`,
    hint: 'Where the canonical registry answers, hyperup images lock --check tells whether the lock is right.',
  });
}

/** The entry, or why this source can't make one. */
async function entryFrom(source: Asked, options: LockImagesOptions): Promise<LockEntry | string> {
  const { probe, clients, platforms, clock, signal } = options;
  const asked = await probe.probe({ reference: source.reference, scheme: source.scheme }, signal);
  if (!asked.ok) return asked.reason;
  const { root } = asked;
  const { path } = parseReference(source.reference);
  const client = clients.clientFor(source.host, source.scheme);
  const reader: Reader = { client, path, clock, signal, action: `lock ${source.reference}` };
  const found = new Map<string, LockedPlatform>();
  const parsed = parseManifest(root.bytes, reader.action);
  if (parsed.kind === 'image') {
    const platform = await platformOf(parsed.config, reader);
    if (!platform) return 'its config does not say for which machine it is';
    found.set(formatPlatform(platform), lockedFrom(root.digest, parsed));
    const missing =
      platforms === 'all' ? [] : platforms.filter((each) => !choosePlatform([{ ...parsed.config, platform }], each));
    if (missing.length > 0)
      return `it is for ${formatPlatform(platform)}, want ${missing.map(formatPlatform).join(', ')}`;
  } else {
    const children = await flatten(root, reader, 0);
    const wanted =
      platforms === 'all' ? oneEach(children) : platforms.flatMap((each) => choosePlatform(children, each) ?? []);
    const missing = platforms === 'all' ? [] : platforms.filter((each) => !choosePlatform(children, each));
    if (missing.length > 0) {
      const offered = children.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : [])).join(', ');
      return `it has nothing for ${missing.map(formatPlatform).join(', ')}, only ${offered || 'nothing'}`;
    }
    await inParallel(wanted, manifestsAtOnce, signal, async (child) => {
      const content = parseManifest((await getManifest(child.digest, reader)).bytes, reader.action);
      if (content.kind !== 'image' || !child.platform) return;
      found.set(formatPlatform(child.platform), lockedFrom(child.digest, content));
    });
  }
  return {
    digest: root.digest,
    mediaType: root.mediaType,
    platforms: Object.fromEntries(found),
    source: source.reference,
    at: new Date(clock.now()).toISOString(),
  };
}

interface Reader {
  readonly client: RegistryClient;
  readonly path: string;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly action: string;
}

/** The images of an index and of those within it; attestations, which name no machine, are left out. */
async function flatten(index: ManifestContent, reader: Reader, depth: number): Promise<readonly Descriptor[]> {
  const parsed = parseManifest(index.bytes, reader.action);
  if (parsed.kind === 'image' || depth === maxDepth) return [];
  const children: Descriptor[] = [];
  for (const child of parsed.manifests) {
    if (/index|list/.test(child.mediaType)) {
      children.push(...(await flatten(await getManifest(child.digest, reader), reader, depth + 1)));
    } else if (child.platform && child.platform.os !== 'unknown') children.push(child);
  }
  return children;
}

/** Some have several of one name, for versions of Windows; the first is the one that an engine takes. */
function oneEach(children: readonly Descriptor[]): readonly Descriptor[] {
  const names = children.map(({ platform }) => (platform ? formatPlatform(platform) : ''));
  return children.filter((_, index) => names.indexOf(names[index] ?? '') === index);
}

function getManifest(digest: string, { client, path, clock, signal, action }: Reader): Promise<ManifestContent> {
  const message = `${action}: no manifest ${digest} within ${manifestMs / 1000} s`;
  return withinLimit({ clock, limitMs: manifestMs, message, signal }, (limit) =>
    client.getManifest(path, digest, { signal: limit }),
  );
}

function platformOf(
  config: Descriptor,
  { client, path, clock, signal, action }: Reader,
): Promise<Platform | undefined> {
  const message = `${action}: no config ${config.digest} within ${manifestMs / 1000} s`;
  return withinLimit({ clock, limitMs: manifestMs, message, signal }, async (limit) => {
    const { body } = await client.getBlob(path, config.digest, undefined, { signal: limit });
    return await configPlatform(config, body, action);
  });
}

function lockedFrom(
  manifest: string,
  { config, layers }: { readonly config: Descriptor; readonly layers: readonly Descriptor[] },
): LockedPlatform {
  const sizes = new Map([config, ...layers].map(({ digest, size }) => [digest, size]));
  const size = [...sizes.values()].reduce((sum, each) => sum + each, 0);
  return { manifest, config: config.digest, size, layers: layers.map(({ digest }) => digest) };
}
