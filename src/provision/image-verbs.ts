import { HyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { openJournal } from '../host/journal.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import { type ImageListing, listImages as listReleaseImages, selectImages } from '../mirror/list-images.js';
import { obtainImages } from '../mirror/obtain.js';
import type { TagChange } from '../mirror/obtain-run.js';
import type { ObtainedImage } from '../mirror/outcome.js';
import { type TagResult, tagImages as tagLocalImages } from '../mirror/tag-images.js';
import { releaseFor } from '../release/release-for.js';
import type { ReleaseImage, ReleaseSpec } from '../release/types.js';
import { readRecord } from './cluster-record.js';
import { withImageSources } from './image-sources.js';
import { makeQuietRuntime, makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { makeImageBuilder } from './steps/obtain-images.js';
import { withEngine } from './with-engine.js';

/** The release with all that a cluster of these options needs: CoreDNS only where it is asked for. */
function wantedRelease({ cluster }: InstallOptions): ReleaseSpec {
  const release = releaseFor(cluster.kubernetesVersion);
  return cluster.dns === 'coredns' ? { ...release, images: [...release.images, release.coredns] } : release;
}

/**
 * Calls `work` with what journals tags. Where a cluster is installed they belong to it and go with it; else the images
 * are the user's own, as after a `docker pull`.
 */
async function withTagJournal<T>(
  options: InstallOptions,
  runtime: Runtime,
  work: (onTag: (change: TagChange) => Promise<void>) => Promise<T>,
): Promise<T> {
  const { stateDir } = options.cluster.paths;
  if (!(await readRecord(stateDir))) return work(async () => {});
  const journal = await openJournal({ dir: stateDir, clock: runtime.clock, command: 'hyperup images' });
  try {
    return await work(async (change) => {
      await journal.record({ kind: 'imageTag', ...change });
    });
  } finally {
    await journal.close();
  }
}

/** The images of the release and what the engine has of them. */
export function listImages(options: InstallOptions, run: RunContext = {}): Promise<readonly ImageListing[]> {
  const release = wantedRelease(options);
  return withEngine(options.engineHost, makeQuietRuntime(run), (engine) => listReleaseImages(engine, release));
}

/** Gets images of the release, each from the first source that serves it. No `names`: all of them. */
export function pullImages(
  options: InstallOptions,
  names: readonly string[],
  run: RunContext = {},
): Operation<readonly ObtainedImage[]> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const release = wantedRelease(options);
    const images = selectImages(release, names);
    return withEngine(options.engineHost, runtime, async (engine) => {
      const info = await engine.info();
      const builder = await makeImageBuilder(engine, info, options.images, runtime);
      return withImageSources(options.images, engine, info, runtime, (sources) =>
        withTagJournal(options, runtime, (onTag) =>
          obtainImages({
            engine,
            engineInfo: info,
            release: { images },
            options: options.images,
            ...sources,
            builder,
            emit,
            signal,
            logger: runtime.logger,
            clock: runtime.clock,
            onTag,
          }),
        ),
      );
    });
  }, run.signal);
}

/** Builds images from the distribution's packages, asking no registry; those that are current stay. */
export function buildImages(
  options: InstallOptions,
  names: readonly string[],
  run: RunContext = {},
): Operation<readonly ObtainedImage[]> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const release = wantedRelease(options);
    const images = selectImages(release, names);
    return withEngine(options.engineHost, runtime, async (engine) => {
      const builder = await makeImageBuilder(engine, await engine.info(), options.images, runtime);
      const build = (image: ReleaseImage, onTag: (change: TagChange) => Promise<void>) =>
        buildImage(image, { engine, builder, runtime, onTag });
      return withTagJournal(options, runtime, async (onTag) => {
        const built: ObtainedImage[] = [];
        for (const image of images) built.push(await build(image, onTag));
        return built;
      });
    });
  }, run.signal);
}

async function buildImage(
  image: ReleaseImage,
  tools: {
    readonly engine: Parameters<Parameters<typeof withEngine>[2]>[0];
    readonly builder: Awaited<ReturnType<typeof makeImageBuilder>>;
    readonly runtime: Runtime;
    readonly onTag: (change: TagChange) => Promise<void>;
  },
): Promise<ObtainedImage> {
  const { engine, builder, runtime, onTag } = tools;
  const { recipe, reference, name } = image;
  if (recipe === undefined || !builder.canBuild(recipe)) {
    throw new HyperupError('BuildFailed', `build ${name}: no recipe makes ${reference} on this machine`, {
      hint: 'hyperup images pull gets it from a mirror.',
    });
  }
  const startedMs = runtime.clock.monotonicMs();
  const before = await engine.inspectImage(reference);
  const current = before !== undefined && builder.isCurrent(before.labels);
  if (!current) {
    await onTag({ reference, previousId: before?.id, pulledAs: undefined });
    await builder.build(recipe, reference, { emit: runtime.emit, signal: runtime.signal });
  }
  const found = current ? before : await engine.inspectImage(reference);
  if (!found) throw new HyperupError('BuildFailed', `build ${name}: the engine does not have ${reference}`);
  const source = { kind: 'build', recipe } as const;
  const elapsedMs = Math.round(runtime.clock.monotonicMs() - startedMs);
  const reason = current ? 'already built from these recipes' : 'built';
  return {
    name,
    reference,
    id: found.id,
    sizeBytes: found.sizeBytes,
    source,
    changed: !current,
    reports: [{ source, outcome: 'served', reason, elapsedMs }],
  };
}

/** Puts the canonical names on images that the engine has under other names. */
export function tagImages(
  options: InstallOptions,
  names: readonly string[],
  run: RunContext = {},
): Promise<readonly TagResult[]> {
  const runtime = makeQuietRuntime(run);
  const images = selectImages(wantedRelease(options), names);
  return withEngine(options.engineHost, runtime, async (engine) => {
    const architecture = imageArchitecture((await engine.info()).architecture);
    return withTagJournal(options, runtime, (onTag) =>
      tagLocalImages({ engine, images, mirrors: options.images.mirrors, architecture, onTag }),
    );
  });
}
