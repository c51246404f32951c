import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { HyperupError, isHyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';
import type { Logger } from '../base/logger.js';
import { makeFolder } from '../base/make-folder.js';
import { type EmitProgress, ignoreProgress } from '../base/progress.js';
import type { ImageEngine } from '../docker/types.js';
import type { Host } from '../host/host.js';
import { acquireLock, type Lock } from '../host/lock.js';
import { openReader, openWriter } from './content/open.js';
import type { BlobFetcher, ContentDeps, CopyReport, ImageReader } from './content/types.js';
import { copyImage } from './copy/copy-image.js';
import { configPlatform } from './image-config.js';
import type { PlatformImage } from './registry-probe.js';

export interface BringRequest {
  readonly image: PlatformImage;
  /** Reads that image from at least one registry; not closed here. */
  readonly source: ImageReader;
  /** The name that the engine gives it. */
  readonly reference: string;
  /** In an image's terms; what is for another machine is refused before its layers move. Undefined: not checked. */
  readonly architecture: string | undefined;
  /** Called, and awaited, before the engine is touched. */
  readonly beforeLoad: () => Promise<void>;
  /** Gets `transfer` events. */
  readonly emit: EmitProgress;
  readonly signal: AbortSignal;
}

/**
 * Brings an image from registries into the engine: blobs from several origins at once, each checked against its
 * digest, parts kept for a later run. Rejects with `ImageUnavailable` naming each origin and why it failed,
 * `DigestMismatch` where all serve something else, `Conflict` where it is for another machine, `EngineFailed` where it
 * can't be loaded, `Aborted`, and what `beforeLoad` threw. What was loaded is as the manifest says; until `beforeLoad`
 * the engine is as it was.
 */
export interface ImageTransport {
  bring(request: BringRequest): Promise<CopyReport>;
}

export interface ImageTransportOptions {
  readonly fetcher: BlobFetcher;
  readonly engine: ImageEngine;
  /** Where parts are kept until their image is in the engine: a folder an image below this one. */
  readonly blobsDir: string;
  readonly host: Pick<Host, 'root'>;
  readonly pid: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The real transport: into an OCI layout of the image's own first, where a killed process leaves what it had, and from
 * there into the engine. Two processes that want one image at once don't share its parts.
 */
export function makeImageTransport(options: ImageTransportOptions): ImageTransport {
  const busy = new Set<string>();
  /** Folders that were begun for a name and are of no use once it is there. */
  const begun = new Map<string, Set<string>>();
  return {
    async bring(request) {
      const { image, reference } = request;
      await checkArchitecture(request);
      const folder = await takeFolder(options, image.manifest.digest, busy);
      const folders = begun.get(reference) ?? new Set();
      begun.set(reference, folders.add(folder.path));
      let done = false;
      try {
        const report = await bringThrough(folder.path, request, options);
        done = true;
        return report;
      } finally {
        await folder.leave(done);
        if (done) await Promise.all([...folders].filter((path) => !busy.has(path)).map(removeFolder));
      }
    },
  };
}

const layoutName = 'image';

async function bringThrough(
  folder: string,
  { source, reference, beforeLoad, emit, signal }: BringRequest,
  { fetcher, engine, logger, clock }: ImageTransportOptions,
): Promise<CopyReport> {
  const deps: ContentDeps = { engine, tmpDir: join(folder, 'tmp'), logger, clock };
  const layout = { transport: 'oci', path: join(folder, 'layout'), name: layoutName } as const;
  const shared = { platform: 'all', fetcher, cacheDir: folder, signal, logger, clock } as const;
  const target = await openWriter(layout, deps);
  const report = await copyImage({ ...shared, source, target, reference: layoutName, emit });
  const local = await openReader(layout, deps);
  try {
    const loading = await openWriter({ transport: 'docker-daemon', reference }, deps);
    await beforeLoad();
    await copyImage({ ...shared, source: local, target: loading, reference, emit: ignoreProgress });
  } finally {
    await local.close();
  }
  return report;
}

/** The config is a few kilobytes, and says for whom the layers are. */
async function checkArchitecture({ image, source, architecture, reference, signal }: BringRequest): Promise<void> {
  if (architecture === undefined) return;
  const { config } = image;
  const platform = await configPlatform(config, await source.openBlob(config, signal), `get config of ${source.name}`);
  const found = platform?.architecture;
  if (found === undefined || found === architecture) return;
  throw new HyperupError('Conflict', `check ${reference}: image is for ${found}, this engine runs ${architecture}`, {
    details: { reference, got: found, want: architecture },
  });
}

interface PartsFolder {
  readonly path: string;
  leave(done: boolean): Promise<void>;
}

async function takeFolder(
  { blobsDir, host, pid, clock }: ImageTransportOptions,
  digest: string,
  busy: Set<string>,
): Promise<PartsFolder> {
  const path = join(blobsDir, digest.replace(':', '-'));
  const lock = busy.has(path) ? undefined : await tryLock(path, busy, { host, clock, pid });
  if (lock) {
    return {
      path,
      leave: async (done) => {
        if (done) await removeFolder(path);
        busy.delete(path);
        await lock.release();
      },
    };
  }
  const own = `${path}.${pid}.${randomBytes(4).toString('hex')}`;
  await makeOrTell(own);
  return { path: own, leave: () => removeFolder(own) };
}

/** Undefined where another process has it. */
async function tryLock(
  path: string,
  busy: Set<string>,
  { host, clock, pid }: Pick<ImageTransportOptions, 'host' | 'clock' | 'pid'>,
): Promise<Lock | undefined> {
  busy.add(path);
  try {
    await makeOrTell(path);
    return await acquireLock({ path: `${path}.lock`, host, clock, pid, command: 'hyperup' });
  } catch (error) {
    busy.delete(path);
    if (isHyperupError(error, 'Locked')) return undefined;
    throw error;
  }
}

async function makeOrTell(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw fileError('make', path, error);
  }
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true });
}
