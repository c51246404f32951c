import { join } from 'node:path';
import { HyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import type { Engine, EngineInfo } from '../docker/types.js';
import { parseManifest } from '../mirror/content/image-manifest.js';
import { openReader, openWriter } from '../mirror/content/open.js';
import type { ContentDeps } from '../mirror/content/types.js';
import { formatPlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { copyImage } from '../mirror/copy/copy-image.js';
import { walkImage } from '../mirror/copy/walk-image.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import { createBlobFetcher } from '../mirror/fetch/blob-fetcher.js';
import { configPlatform } from '../mirror/image-config.js';
import { obtainImages } from '../mirror/obtain.js';
import type { SourceReport } from '../mirror/outcome.js';
import { describeSource } from '../mirror/plan.js';
import { type SurveyedImage, surveyImages } from '../mirror/survey.js';
import { type ArchivedImage, isArchiveWord, listArchive } from '../mirror/workloads/archive-images.js';
import { familiarName, formatReference, parseReference, taggedOnly } from '../registry/reference.js';
import type { Platform } from '../registry/types.js';
import type { ReleaseImage } from '../release/types.js';
import { withImageSources } from './image-sources.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { withEngine } from './with-engine.js';

export interface ImportRequest {
  /** References, and files by `isArchiveWord`. */
  readonly images: readonly string[];
  /** `OS/ARCH`; undefined: the engine's. */
  readonly platform: string | undefined;
}

/** An image of the user's own that is in the engine under its own name. */
export interface ImportedImage {
  readonly reference: string;
  readonly id: string;
  readonly sizeBytes: number;
  readonly from: string;
  /** False where it was there already. */
  readonly changed: boolean;
  /** Every source up to the one that served; absent for files. */
  readonly reports?: readonly SourceReport[] | undefined;
}

/** Where an import would get an image from. */
export interface ImportPlan {
  readonly reference: string;
  readonly source: SurveyedImage['source'] | 'file';
  readonly detail: string;
  readonly sizeBytes: number | undefined;
}

type ImportOptions = Pick<InstallOptions, 'engineHost' | 'images'>;

interface Wanted {
  readonly registry: readonly ReleaseImage[];
  readonly archives: readonly ArchivedImage[];
}

/**
 * Brings images of the user's own into the engine under their own names: from the first source that serves them, as a
 * release's, or from files. They stay the user's: no uninstall takes them away. Files come first. Throws `Usage` for
 * words that say no name, and what `obtainImages` and `listArchive` do.
 */
export function importImages(
  options: ImportOptions,
  request: ImportRequest,
  run: RunContext = {},
): Operation<readonly ImportedImage[]> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const wanted = await readWords(options, request);
    return await withEngine(options.engineHost, runtime, async (engine) => {
      const info = await engineFor(engine, request);
      const imported: ImportedImage[] = [];
      for (const image of wanted.archives) imported.push(await importArchived(options, image, engine, info, runtime));
      if (wanted.registry.length === 0) return imported;
      const obtained = await withImageSources(options.images, engine, info, runtime, (sources) =>
        obtainImages({
          engine,
          engineInfo: info,
          release: { images: wanted.registry },
          options: { ...options.images, build: false },
          ...sources,
          emit,
          signal,
          logger: runtime.logger,
          clock: runtime.clock,
          onTag: async () => {},
        }),
      );
      const fromRegistries = obtained.map(({ reference, id, sizeBytes, source, changed, reports }) => {
        return { reference, id, sizeBytes, from: describeSource(source), changed, reports };
      });
      return [...imported, ...fromRegistries];
    });
  }, run.signal);
}

/** What `importImages` would do; nothing is brought. */
export async function planImport(
  options: ImportOptions,
  request: ImportRequest,
  run: RunContext = {},
): Promise<readonly ImportPlan[]> {
  const runtime = makeRuntime(run, () => {}, run.signal ?? new AbortController().signal);
  const wanted = await readWords(options, request);
  const files = wanted.archives.flatMap(({ location, references }) =>
    references.map((reference): ImportPlan => {
      const detail = 'path' in location ? location.path : '';
      return { reference, source: 'file', detail, sizeBytes: undefined };
    }),
  );
  if (wanted.registry.length === 0) return files;
  const surveyed = await withEngine(options.engineHost, runtime, async (engine) => {
    const info = await engineFor(engine, request);
    return await withImageSources(options.images, engine, info, runtime, (sources) =>
      surveyImages({
        engine,
        engineInfo: info,
        release: { images: wanted.registry },
        options: { ...options.images, build: false },
        ...sources,
        signal: runtime.signal,
      }),
    );
  });
  return [
    ...files,
    ...surveyed.map(({ reference, source, detail, sizeBytes }) => ({ reference, source, detail, sizeBytes })),
  ];
}

/** The words taken apart, each image once, before anything is asked. */
async function readWords({ images }: ImportOptions, request: ImportRequest): Promise<Wanted> {
  const words = [...new Set(request.images)];
  if (request.platform !== undefined) readPlatform(request.platform);
  const registry = new Map<string, ReleaseImage>();
  for (const word of words.filter((each) => !isArchiveWord(each))) {
    const image = userImage(word.replace(/^docker:\/\//, ''));
    registry.set(image.name, image);
  }
  const archives: ArchivedImage[] = [];
  for (const word of words.filter(isArchiveWord)) {
    archives.push(...(await listArchive(word, { tmpDir: join(images.cacheDir, 'tmp') })));
  }
  return { registry: [...registry.values()], archives };
}

/** A user's reference in the shape of a release's. Throws `Usage` where it has nothing that a copy can be called by. */
export function userImage(text: string): ReleaseImage {
  const parsed = parseReference(text);
  const tagged = taggedOnly(parsed);
  if (!tagged) {
    throw new HyperupError('Usage', `import ${text}: it has a digest and no tag to call it by`, {
      hint: 'Write NAME:TAG@DIGEST: what comes is held to the digest. Engines know digests only of what they pulled themselves.',
    });
  }
  return { name: familiarName(tagged), reference: formatReference({ ...tagged, digest: parsed.digest }) };
}

function readPlatform(text: string): Platform {
  const platform = parsePlatform(text);
  const { os, variant } = platform;
  if (os === 'linux' && variant === undefined) return platform;
  throw new HyperupError(
    'Usage',
    `read platform: got ${formatPlatform(platform)}, want linux/ARCH such as linux/arm64`,
  );
}

/** The engine as it is, but for the machine whose images are wanted. */
async function engineFor(engine: Engine, { platform }: ImportRequest): Promise<EngineInfo> {
  const info = await engine.info();
  return platform === undefined ? info : { ...info, architecture: readPlatform(platform).architecture };
}

async function importArchived(
  { images }: ImportOptions,
  { location, references }: ArchivedImage,
  engine: Engine,
  info: EngineInfo,
  { logger, clock, emit, signal }: Runtime,
): Promise<ImportedImage> {
  const [reference = '', ...others] = references;
  const deps: ContentDeps = { engine, tmpDir: join(images.cacheDir, 'tmp'), logger, clock };
  const platform = { os: 'linux', architecture: imageArchitecture(info.architecture) };
  const source = await openReader(location, deps);
  try {
    const before = await engine.inspectImage(reference);
    const { root } = await walkImage(source, platform, signal);
    const manifest = parseManifest(root.bytes, `read ${source.name}`);
    if (manifest.kind === 'image') {
      const { config } = manifest;
      const found = await configPlatform(config, await source.openBlob(config, signal), `read ${source.name}`);
      if (found && found.architecture !== platform.architecture) {
        const details = { reference, got: found.architecture, want: platform.architecture };
        throw new HyperupError('Conflict', `import ${reference}: image is for ${details.got}, want ${details.want}`, {
          details,
          hint: '--platform takes those of another machine.',
        });
      }
    }
    const target = await openWriter({ transport: 'docker-daemon', reference }, deps);
    const fetcher = createBlobFetcher({ clock, logger, sync: false });
    const cacheDir = join(images.cacheDir, 'copy');
    await copyImage({ source, target, platform, reference, fetcher, cacheDir, emit, signal, logger, clock });
    const image = await engine.inspectImage(reference);
    if (!image)
      throw new HyperupError('EngineFailed', `import ${reference}: the engine says done and has no such image`);
    for (const other of others) await engine.tagImage(image.id, other);
    const { id, sizeBytes } = image;
    return { reference, id, sizeBytes, from: source.name, changed: before?.id !== id };
  } finally {
    await source.close();
  }
}
