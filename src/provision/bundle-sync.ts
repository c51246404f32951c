import { join } from 'node:path';
import { isHyperupError, messageOf } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { SetOptions } from '../config/transfer-options.js';
import type { BundledImage, BundleManifest } from '../mirror/bundle/bundle-format.js';
import {
  assertDistinct,
  mirrorOf,
  type PushedImage,
  parseRegistryTarget,
  pushToRegistry,
  type RegistryTarget,
  targetReference,
} from '../mirror/bundle/push-registry.js';
import { syncToRegistry } from '../mirror/bundle/sync-registry.js';
import { machinePlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { type ResolvedImage, resolveImage } from '../mirror/copy/resolve.js';
import { lockedDigests } from '../mirror/lock/lookup.js';
import { type MirrorList, mirrorCandidates, parseMirrors } from '../mirror/mirror-spec.js';
import { parseReference } from '../registry/reference.js';
import type { Descriptor, RegistryClients } from '../registry/types.js';
import {
  askedReference,
  type CollectTools,
  collectFromEngine,
  engineHas,
  nobodyHas,
  partsOf,
  plannedReleases,
  readChosenLock,
  type WantedImage,
  wantedImages,
} from './bundle-collect.js';
import { withCollectTools } from './bundle-tools.js';
import { obtainRelease } from './obtain-release.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';

export interface SyncRequest {
  /** `docker://HOST[:PORT][/PREFIX]`. */
  readonly to: string;
  readonly images: readonly string[];
  readonly addons: readonly string[];
  readonly platform: string | undefined;
  readonly insecureRegistries: readonly string[];
}

export interface SyncResult {
  readonly target: string;
  readonly release: string;
  readonly images: readonly PushedImage[];
  /** What to give an install as `--mirror`. */
  readonly mirror: string;
}

/** Where an image comes from: the engine, or the mirrors that have it. */
interface FoundImage {
  readonly wanted: WantedImage;
  /** Undefined: the engine. */
  readonly resolved: ResolvedImage | undefined;
  /** What the target has under its name, asked for together with what mirrors have. */
  readonly there?: Promise<Descriptor | undefined> | undefined;
}

/**
 * Copies the release's images and those that are named into a registry: from the engine, or straight from the mirrors,
 * each layer as it comes in. Names appear there once all is there. Throws `ImageUnavailable` naming what no source has,
 * and what `syncToRegistry` and `pushToRegistry` throw.
 */
export function syncImages(options: SetOptions, request: SyncRequest, run: RunContext = {}): Operation<SyncResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const target = parseRegistryTarget(request.to);
    const platform = request.platform === undefined ? machinePlatform(process.arch) : parsePlatform(request.platform);
    const lock = await readChosenLock(options.images);
    const mirrors = parseMirrors(options.images.mirrors);
    // The ways there are made while the engine answers; what is wrong with them shows when they are used.
    const reach = (clients: RegistryClients) => {
      const ways = [target, ...namedHosts(mirrors)];
      for (const { host, scheme } of ways) {
        void clients
          .clientFor(host, scheme)
          .ping({ signal })
          .catch(() => {});
      }
    };
    return withCollectTools(
      options,
      request.insecureRegistries,
      { platform, lock },
      runtime,
      async (tools) => {
        const { release, images: found } = await obtainRelease({
          releases: plannedReleases(options),
          emit,
          obtain: (layout) => findImages(wantedImages(layout, request), target, mirrors, tools, runtime),
        });
        const { cacheDir } = options.images;
        const inEngine = found.filter(({ resolved }) => resolved === undefined).map(({ wanted }) => wanted);
        const sources = found.flatMap(({ wanted: { reference }, resolved, there }) =>
          resolved ? [{ reference, resolved, there }] : [],
        );
        assertDistinct(target, [
          ...sources.map(({ reference, resolved }) => ({ reference, digest: resolved.root.digest })),
          // What two of the engine's come to is known, and compared, when they are pushed.
          ...inEngine.map(({ reference }) => ({ reference, digest: "one of the engine's" })),
        ]);
        const { clock, logger } = runtime;
        const synced = await syncToRegistry(sources, { ...tools, target, cacheDir, emit, signal, logger, clock });
        const pushed = await pushFromEngine(inEngine, target, release.version, tools, cacheDir, runtime);
        await Promise.all(synced.map((image) => image.name()));
        const done = new Map([...pushed, ...synced.map(({ image }) => image)].map((image) => [image.reference, image]));
        const images = found.flatMap(({ wanted }) => done.get(wanted.reference) ?? []);
        return { target: request.to, release: release.version, images, mirror: mirrorOf(target) };
      },
      reach,
    );
  }, run.signal);
}

/** Asks the engine, and the mirrors for manifests: what nobody has ends the run before anything moves. */
async function findImages(
  wanted: readonly WantedImage[],
  target: RegistryTarget,
  mirrors: MirrorList,
  tools: CollectTools,
  { emit, signal, clock }: Runtime,
): Promise<readonly FoundImage[]> {
  const lock = tools.lock && lockedDigests(tools.lock);
  const missing: { readonly image: WantedImage; readonly reason: string }[] = [];
  const found = await Promise.all(
    wanted.map(async (image): Promise<FoundImage | undefined> => {
      const { domain, path, tag = 'latest' } = targetReference(target, image.reference);
      // Asked while the engine is, though an image of the engine's has no use for it.
      const there = tools.clients.clientFor(domain, target.scheme).headManifest(path, tag, { signal });
      there.catch(() => {});
      if (await engineHas(image, tools)) return { wanted: image, resolved: undefined };
      try {
        const settings = { lock, emit, signal, clock };
        const resolved = await resolveImage(askedReference(image), mirrors, tools.clients, settings);
        return { wanted: image, resolved, there };
      } catch (error) {
        if (!isHyperupError(error, 'ImageUnavailable') && !isHyperupError(error, 'NotFound')) throw error;
        missing.push({ image, reason: messageOf(error) });
        return undefined;
      }
    }),
  );
  if (missing.length > 0) throw nobodyHas(missing, tools);
  return found.filter((image) => image !== undefined);
}

/** The mirrors' hosts that the user named, which presets' mirrors are not: there are many of those. */
function namedHosts({ entries }: MirrorList): readonly Pick<RegistryTarget, 'host' | 'scheme'>[] {
  return entries.flatMap((entry) => {
    if (entry === 'upstream' || entry.domains !== undefined) return [];
    const [candidate] = mirrorCandidates(entry, parseReference('image'));
    return candidate ? [{ host: candidate.domain, scheme: entry.scheme }] : [];
  });
}

/** By way of a stage: an engine gives its images as one archive, and a registry wants a layer's digest beforehand. */
async function pushFromEngine(
  wanted: readonly WantedImage[],
  target: RegistryTarget,
  release: string,
  tools: CollectTools,
  cacheDir: string,
  runtime: Runtime,
): Promise<readonly PushedImage[]> {
  if (wanted.length === 0) return [];
  const { emit, signal } = runtime;
  const { os, architecture } = tools.platform;
  const { openStage } = await import('../mirror/bundle/blob-stage.js');
  const stage = await openStage(join(cacheDir, 'sync'));
  // Registries are expected to hold compressed layers, and each is sent over a network.
  const collected = await collectFromEngine(wanted, { compress: true }, tools, stage, runtime);
  const images = wanted.flatMap(({ name, reference, role }): BundledImage[] => {
    const image = collected.get(reference);
    return image === undefined ? [] : [{ name, reference, role, ...partsOf(image) }];
  });
  const documents = new Map<string, Buffer>();
  for (const { manifest } of images) documents.set(manifest.digest, await stage.read(manifest.digest));
  const manifest: BundleManifest = {
    format: 1,
    createdBy: '',
    release,
    platform: { os, architecture },
    images,
    blobs: [],
  };
  const pushed = await pushToRegistry({
    bundle: {
      name: 'the set',
      manifest,
      hasBlob: () => true,
      document: (digest) => documents.get(digest),
      openBlob: (digest) => stage.open(digest),
    },
    images,
    target,
    client: tools.clients.clientFor(target.host, target.scheme),
    signal,
    onBytes: (image, currentBytes, totalBytes) =>
      emit({ type: 'transfer', image: image.name, source: 'sync', currentBytes, totalBytes }),
  });
  await stage.remove();
  return pushed;
}
