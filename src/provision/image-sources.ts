import { join } from 'node:path';
import type { ImageOptions } from '../config/types.js';
import type { Engine, EngineInfo } from '../docker/types.js';
import { createBlobFetcher } from '../mirror/fetch/blob-fetcher.js';
import { type ImageTransport, makeImageTransport } from '../mirror/image-transport.js';
import { readLockFile } from '../mirror/lock/lock-file.js';
import type { ImageLock } from '../mirror/lock/types.js';
import { makeRegistryProbe, type RegistryProbe } from '../mirror/registry-probe.js';
import type { RegistryClients } from '../registry/types.js';
import { openRegistries, type RegistrySettings } from './open-registries.js';
import type { Runtime } from './runtime.js';

/** What it takes to ask registries and to bring images from them, as these options and this machine have it. */
export interface ImageSources {
  readonly clients: RegistryClients;
  readonly probe: RegistryProbe;
  readonly transport: ImageTransport;
  readonly lock: ImageLock | undefined;
}

/** One registry's answer; a blocked one should not cost more, and mirrors are many. */
const probeTimeoutMs = 5_000;
/** A mirror that wants to be left alone for longer has failed: there are others. */
const patience = { retries: 1, maxWaitMs: 2_000 } as const;

/**
 * Calls `work` with sources that are closed afterwards. Throws `NotFound` or `InvalidConfig` where the lock can't be
 * read, before anything is asked.
 */
export async function withImageSources<T>(
  options: Pick<ImageOptions, 'lock' | 'stallMs' | 'cacheDir'>,
  engine: Engine,
  info: Pick<EngineInfo, 'insecureRegistries'>,
  runtime: Runtime,
  work: (sources: ImageSources) => Promise<T>,
): Promise<T> {
  const { logger, clock, host } = runtime;
  const lock = options.lock === undefined ? undefined : await readLockFile(options.lock);
  const settings = { stallMs: options.stallMs, insecureRegistries: info.insecureRegistries };
  return await withRegistries(settings, runtime, async (registries) => {
    // What is lost in a power cut is fetched again; the engine has its own copy by then.
    const fetcher = createBlobFetcher({
      clock,
      logger,
      sync: false,
      limits: { silenceMs: silenceOf(options.stallMs) },
    });
    const blobsDir = join(options.cacheDir, 'blobs');
    const transport = makeImageTransport({ fetcher, engine, blobsDir, host, pid: process.pid, logger, clock });
    return await work({ ...registries, transport, lock });
  });
}

/** Calls `work` with what asks registries, closed afterwards. */
export async function withRegistries<T>(
  settings: Pick<RegistrySettings, 'stallMs' | 'insecureRegistries'>,
  runtime: Runtime,
  work: (registries: Pick<ImageSources, 'clients' | 'probe'>) => Promise<T>,
): Promise<T> {
  const { stallMs, insecureRegistries } = settings;
  const clients = openRegistries({ stallMs, insecureRegistries, ...patience }, runtime);
  try {
    return await work({
      clients,
      probe: makeRegistryProbe({ clients, timeoutMs: probeTimeoutMs, clock: runtime.clock }),
    });
  } finally {
    await clients.close();
  }
}

/** A mirror may be silent twice or so before it is given up; in all that is about what the user allows. */
function silenceOf(stallMs: number): number {
  return Math.min(10_000, Math.max(1_000, stallMs / 2));
}
