import { join } from 'node:path';
import { systemClock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import { silentLogger } from '../base/logger.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { EmitProgress } from '../base/progress.js';
import { readEnvironment } from '../config/environment.js';
import type { ImageEngine } from '../docker/types.js';
import { formatImageLocation, locationName, parseImageLocation } from '../mirror/content/location.js';
import { openReader, openWriter } from '../mirror/content/open.js';
import type { ContentDeps, CopyReport, ImageLocation, ImageReader, ImageWriter } from '../mirror/content/types.js';
import { checkPlatform } from '../mirror/copy/check-platform.js';
import { machinePlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { copyImage as copyBetween, planCopy } from '../mirror/copy/copy-image.js';
import { readResolved } from '../mirror/copy/registry-reader.js';
import { type LockedDigests, resolveImage } from '../mirror/copy/resolve.js';
import type { CopyPlan } from '../mirror/copy/types.js';
import { type BlobUploads, makeBlobUploads } from '../mirror/copy/uploads.js';
import { createBlobFetcher } from '../mirror/fetch/blob-fetcher.js';
import { parseMirrors } from '../mirror/mirror-spec.js';
import { parseReference } from '../registry/reference.js';
import type { Platform, RegistryClient, RegistryClients } from '../registry/types.js';
import { openRegistries } from './open-registries.js';
import type { RunContext, Runtime } from './runtime.js';

export interface CopyImageOptions {
  /** As `parseImageLocation` reads them. */
  readonly source: string;
  readonly target: string;
  /** `all`, or `OS/ARCH[/VARIANT]`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** As `--mirror` has them; for sources of the transport `docker` alone. */
  readonly mirrors: readonly string[];
  /** The path of a lock that the source is held to. */
  readonly lock: string | undefined;
  /** What is under way is kept there between runs. */
  readonly cacheDir: string;
  /** How long a registry may be silent, milliseconds. */
  readonly stallMs: number;
  readonly engineHost: string | undefined;
  readonly insecureRegistries: readonly string[];
}

export interface CopyImageResult extends CopyReport {
  readonly source: string;
  readonly target: string;
  readonly elapsedMs: number;
}

export interface CopyImagePlan extends CopyPlan {
  readonly source: string;
  readonly target: string;
  /** Who would serve it, where the source is a registry. */
  readonly mirrors: readonly string[];
}

/** Copies one image from anywhere to anywhere. Errors: `mirror/copy`'s `copyImage` and `resolveImage`. */
export function copyImage(options: CopyImageOptions, run: RunContext = {}): Operation<CopyImageResult> {
  return startOperation(async (emit, signal) => {
    const runtime = copyRuntime(run, emit, signal);
    const startedMs = runtime.clock.monotonicMs();
    return withEnds(options, runtime, async ({ source, target, platform, uploads, reader, writer }) => {
      const { cacheDir } = options;
      // What a registry gets has its own copy there; a folder's blobs are the only ones.
      const sync = writer.stagingPath !== undefined;
      const fetcher = createBlobFetcher({ clock: runtime.clock, logger: runtime.logger, sync });
      const report = await copyBetween({
        source: reader,
        target: writer,
        uploads,
        platform,
        reference: locationName(target),
        fetcher,
        cacheDir: join(cacheDir, 'copy'),
        emit,
        signal,
        logger: runtime.logger,
        clock: runtime.clock,
      });
      const elapsedMs = Math.round(runtime.clock.monotonicMs() - startedMs);
      return { source: formatImageLocation(source), target: formatImageLocation(target), ...report, elapsedMs };
    });
  }, run.signal);
}

/** What `copyImage` would do; nothing is sent. */
export async function planImageCopy(options: CopyImageOptions, run: RunContext = {}): Promise<CopyImagePlan> {
  const runtime = copyRuntime(run, () => {}, run.signal ?? new AbortController().signal);
  return withEnds({ ...options, isPlan: true }, runtime, async ({ source, target, platform, reader, writer }) => {
    const plan = await planCopy({ source: reader, target: writer, platform, signal: runtime.signal });
    await writer.abort();
    const mirrors = (reader.origins ?? []).map(({ name }) => name);
    return { source: formatImageLocation(source), target: formatImageLocation(target), ...plan, mirrors };
  });
}

/** Of the world outside what copies need: they run no programs. */
type CopyRuntime = Pick<Runtime, 'clock' | 'logger' | 'env' | 'emit' | 'signal'>;

function copyRuntime({ logger = silentLogger }: RunContext, emit: EmitProgress, signal: AbortSignal): CopyRuntime {
  return { clock: systemClock, logger, env: readEnvironment(), emit, signal };
}

interface Ends {
  readonly source: ImageLocation;
  readonly target: ImageLocation;
  readonly platform: 'all' | Platform;
  readonly reader: ImageReader;
  readonly writer: ImageWriter;
  readonly uploads: BlobUploads | undefined;
}

/** Opens both ends, and closes all that this took. */
async function withEnds<T>(
  options: CopyImageOptions & { readonly isPlan?: boolean },
  runtime: CopyRuntime,
  work: (ends: Ends) => Promise<T>,
): Promise<T> {
  const source = parseImageLocation(options.source);
  const target = parseImageLocation(options.target);
  const platform = platformOf(options.platform);
  if (target.transport === 'docker' && parseReference(target.reference).digest !== undefined) {
    throw new HyperupError('Usage', `copy to ${options.target}: a registry takes a name with a tag, not a digest`);
  }
  const closers: (() => Promise<void>)[] = [];
  try {
    const needsRegistry = source.transport === 'docker' || target.transport === 'docker';
    const registries = needsRegistry ? openRegistries(options, runtime) : undefined;
    if (registries !== undefined) closers.push(() => registries.close());
    // The way to the target is made while the source answers; what is wrong with it shows when it is used.
    if (target.transport === 'docker') {
      clientOf(target.reference, registries)
        ?.ping({ signal: runtime.signal })
        .catch(() => {});
      import('../mirror/content/registry-writer.js').catch(() => {});
    }
    const needsEngine = source.transport === 'docker-daemon' || target.transport === 'docker-daemon';
    const engine = needsEngine ? await openEngine(options.engineHost, runtime, closers) : undefined;
    const tmpDir = join(options.cacheDir, 'tmp');
    const deps: ContentDeps = { engine, registries, tmpDir, logger: runtime.logger, clock: runtime.clock };
    const reader = await openSource(source, options, deps, runtime);
    closers.push(() => reader.close());
    if (options.platform !== undefined && platform !== 'all') await checkPlatform(reader, platform, runtime.signal);
    const mountFrom = options.isPlan === true ? [] : mountsFor(source, target);
    const writer = await openWriter(target, deps, { mountFrom });
    const uploads = uploadsTo(target, registries, options.cacheDir, runtime);
    return await work({ source, target, platform, reader, writer, uploads });
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

function platformOf(text: string | undefined): 'all' | Platform {
  if (text === 'all') return 'all';
  return text === undefined ? machinePlatform(process.arch) : parsePlatform(text);
}

async function openEngine(
  host: string | undefined,
  { env, signal }: CopyRuntime,
  closers: (() => Promise<void>)[],
): Promise<ImageEngine> {
  // Most copies need no engine, and its client takes its time to load.
  const { connectEngine } = await import('../docker/connect.js');
  const engine = await connectEngine({ host, env, signal });
  closers.push(async () => engine.close());
  return engine;
}

async function openSource(
  source: ImageLocation,
  { mirrors, lock }: CopyImageOptions,
  deps: ContentDeps,
  { emit, signal, clock }: CopyRuntime,
): Promise<ImageReader> {
  if (source.transport !== 'docker' || deps.registries === undefined) return await openReader(source, deps);
  const locked = lock === undefined ? undefined : await readLock(lock, source.reference);
  const options = { emit, signal, clock, lock: locked };
  return readResolved(await resolveImage(source.reference, parseMirrors(mirrors), deps.registries, options));
}

/** The lock, for an image that it has to name: without a digest no mirror would be trusted as the user wants. */
async function readLock(path: string, reference: string): Promise<LockedDigests> {
  const [{ readLockFile }, { lockedDigests }] = await Promise.all([
    import('../mirror/lock/lock-file.js'),
    import('../mirror/lock/lookup.js'),
  ]);
  const lock = lockedDigests(await readLockFile(path));
  if (lock.digestOf(reference) !== undefined) return lock;
  throw new HyperupError('NotFound', `find ${reference} in ${path}: the lock doesn't name it`, {
    hint: 'Add it with hyperup images lock, or copy without --lock.',
  });
}

/** Where both ends are one registry its blobs needn't travel. */
function mountsFor(source: ImageLocation, target: ImageLocation): readonly string[] {
  if (source.transport !== 'docker' || target.transport !== 'docker') return [];
  const [from, to] = [parseReference(source.reference), parseReference(target.reference)];
  return from.domain === to.domain && from.path !== to.path ? [from.path] : [];
}

function uploadsTo(
  target: ImageLocation,
  registries: RegistryClients | undefined,
  cacheDir: string,
  { logger }: CopyRuntime,
): BlobUploads | undefined {
  if (target.transport !== 'docker') return undefined;
  const client = clientOf(target.reference, registries);
  if (client === undefined) return undefined;
  const { path } = parseReference(target.reference);
  return makeBlobUploads({ client, path, stateDir: join(cacheDir, 'uploads'), logger });
}

function clientOf(reference: string, registries: RegistryClients | undefined): RegistryClient | undefined {
  return registries?.clientFor(parseReference(reference).domain);
}
