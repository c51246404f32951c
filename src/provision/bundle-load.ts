import { basename } from 'node:path';
import { HyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import type { Engine } from '../docker/types.js';
import { loadIntoEngine } from '../mirror/bundle/load-engine.js';
import { type Bundle, openBundle } from '../mirror/bundle/open-bundle.js';
import { mirrorOf, parseRegistryTarget, pushToRegistry } from '../mirror/bundle/push-registry.js';
import { verifyBundle } from '../mirror/bundle/verify-bundle.js';
import { formatPlatform } from '../mirror/copy/choose-platform.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { withEngine } from './with-engine.js';

export interface LoadRequest {
  readonly file: string;
  /** `engine`, or a registry as `docker://HOST[:PORT][/PREFIX]`. */
  readonly to: string;
  readonly insecureRegistries: readonly string[];
}

export interface LoadResult {
  readonly target: string;
  readonly release: string;
  readonly images: readonly { readonly name: string; readonly reference: string; readonly target: string }[];
  readonly elapsedMs: number;
  /** What to give an install, where the target is a registry. */
  readonly mirror: string | undefined;
}

type LoadOptions = Pick<InstallOptions, 'engineHost' | 'images'>;

/**
 * Brings all images of a bundle into the engine or a registry. What is wrong with the file is found before anything of it
 * has a name there. Throws `InvalidConfig`, `DigestMismatch`, `Conflict` for another machine's bundle, `NotFound` for a
 * delta whose base is missing.
 */
export function loadImages(options: LoadOptions, request: LoadRequest, run: RunContext = {}): Operation<LoadResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const startedMs = runtime.clock.monotonicMs();
    const registry = request.to === 'engine' ? undefined : parseRegistryTarget(request.to);
    const bundle = await openBundle(request.file, { signal });
    try {
      const targets = registry
        ? await loadRegistry(options, request, registry, bundle, runtime)
        : await withEngine(options.engineHost, runtime, (engine) => loadEngine(engine, bundle, runtime));
      return {
        target: request.to,
        release: bundle.manifest.release,
        images: bundle.manifest.images.map(({ name, reference }, index) => ({
          name,
          reference,
          target: targets[index] ?? reference,
        })),
        elapsedMs: Math.round(runtime.clock.monotonicMs() - startedMs),
        mirror: registry && mirrorOf(registry),
      };
    } finally {
      await bundle.close();
    }
  }, run.signal);
}

async function loadEngine(engine: Engine, bundle: Bundle, { emit, signal }: Runtime): Promise<readonly string[]> {
  const permitted = engine.info().then(({ architecture }) => assertArchitecture(bundle, architecture));
  // Where the sending fails first, nobody waits for it.
  permitted.catch(() => {});
  const source = basename(bundle.name);
  const { images } = bundle.manifest;
  const onBytes = (currentBytes: number, totalBytes: number) =>
    emit({ type: 'transfer', image: `${images.length} images`, source, currentBytes, totalBytes });
  await loadIntoEngine({ bundle, engine, images, signal, onBytes, permitted });
  return images.map(({ reference }) => reference);
}

async function loadRegistry(
  { images }: LoadOptions,
  { insecureRegistries }: LoadRequest,
  target: ReturnType<typeof parseRegistryTarget>,
  bundle: Bundle,
  runtime: Runtime,
): Promise<readonly string[]> {
  const { emit, signal } = runtime;
  const source = basename(bundle.name);
  const total = bundle.manifest.images.length;
  emit({ type: 'wait', step: 'load', reason: `checking ${source}` });
  await verifyBundle(bundle, { signal });
  // Most bundles go into an engine, and the registries' clients take their time to load.
  const { openRegistries } = await import('./open-registries.js');
  const clients = openRegistries({ stallMs: images.stallMs, insecureRegistries }, runtime);
  try {
    const pushed = await pushToRegistry({
      bundle,
      images: bundle.manifest.images,
      target,
      client: clients.clientFor(target.host, target.scheme),
      signal,
      onBytes: (image, currentBytes, totalBytes) =>
        emit({ type: 'transfer', image: image.name, source, currentBytes, totalBytes }),
    });
    const changed = pushed.filter((image) => image.changed).length;
    emit({ type: 'note', level: 'info', message: `${changed} of ${total} images were new to ${target.host}` });
    const places = new Map(pushed.map(({ reference, target: place }) => [reference, place]));
    return bundle.manifest.images.map(({ reference }) => places.get(reference) ?? reference);
  } finally {
    await clients.close();
  }
}

/** Throws `Conflict` where the engine can't run what is in the bundle. */
export function assertArchitecture({ name, manifest }: Bundle, engineArchitecture: string): void {
  const want = imageArchitecture(engineArchitecture);
  if (manifest.platform.architecture === want) return;
  throw new HyperupError(
    'Conflict',
    `load ${name}: its images are for ${formatPlatform(manifest.platform)}, this engine runs ${want}`,
    { hint: `Make one with hyperup images save --platform linux/${want}.` },
  );
}
