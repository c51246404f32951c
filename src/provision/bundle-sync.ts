import { join } from 'node:path';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { openStage } from '../mirror/bundle/blob-stage.js';
import type { BundledImage, BundleManifest } from '../mirror/bundle/bundle-format.js';
import { mirrorOf, type PushedImage, parseRegistryTarget, pushToRegistry } from '../mirror/bundle/push-registry.js';
import { machinePlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { collectSet, readChosenLock } from './bundle-collect.js';
import { withCollectTools } from './bundle-tools.js';
import { makeRuntime, type RunContext } from './runtime.js';

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

/**
 * Copies the release's images and those that are named into a registry, from the engine or through the mirrors. Names
 * appear there once all is there. Throws what `collectSet` and `pushToRegistry` throw.
 */
export function syncImages(options: InstallOptions, request: SyncRequest, run: RunContext = {}): Operation<SyncResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const target = parseRegistryTarget(request.to);
    const platform = request.platform === undefined ? machinePlatform(process.arch) : parsePlatform(request.platform);
    const lock = await readChosenLock(options.images);
    return withCollectTools(options, request.insecureRegistries, { platform, lock }, runtime, async (tools) => {
      const stage = await openStage(join(options.images.cacheDir, 'sync'));
      // Registries are expected to hold compressed layers, and each is sent over a network.
      const choice = { ...request, compress: true, without: new Set<string>() };
      const { release, images } = await collectSet(options, choice, tools, stage, runtime);
      const documents = new Map<string, Buffer>();
      for (const { digest } of images.map(({ manifest }) => manifest)) documents.set(digest, await stage.read(digest));
      const pushed = await pushToRegistry({
        bundle: {
          name: 'the set',
          manifest: setManifest(release.version, images, platform),
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
      return { target: request.to, release: release.version, images: pushed, mirror: mirrorOf(target) };
    });
  }, run.signal);
}

function setManifest(
  release: string,
  images: readonly BundledImage[],
  { os, architecture }: { readonly os: string; readonly architecture: string },
): BundleManifest {
  return { format: 1, createdBy: '', release, platform: { os, architecture }, images: [...images], blobs: [] };
}
