import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import type { Engine } from '../../src/docker/types.js';
import { localHost } from '../../src/host/host.js';
import { runCommand } from '../../src/host/run-command.js';
import { createBlobFetcher } from '../../src/mirror/fetch/blob-fetcher.js';
import { type ImageTransport, makeImageTransport } from '../../src/mirror/image-transport.js';
import { makeRegistryProbe, type RegistryProbe } from '../../src/mirror/registry-probe.js';
import { createRegistryClients } from '../../src/registry/clients.js';
import type { RegistryClients } from '../../src/registry/types.js';

/** What obtaining takes, over real connections and with a folder for parts. */
export interface ImageTools {
  readonly clients: RegistryClients;
  readonly probe: RegistryProbe;
  readonly transport: ImageTransport;
  readonly blobsDir: string;
  close(): Promise<void>;
}

/**
 * As an install has them, with a limit of 5 s an answer; `silenceMs` is that of a layer. Parts go into a folder that
 * `close` removes, or into the one that is given, which stays.
 */
export async function makeImageTools(
  engine: Engine,
  given: { readonly silenceMs?: number; readonly blobsDir?: string } = {},
): Promise<ImageTools> {
  const { silenceMs = 10_000 } = given;
  const blobsDir = given.blobsDir ?? (await mkdtemp(join(tmpdir(), 'hyperup-blobs-')));
  const clients = createRegistryClients({
    proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
    extraCas: [],
    isInsecure: () => false,
    credentials: { find: async () => undefined },
    connectTimeoutMs: 5_000,
    silenceMs: 5_000,
    retries: 1,
    maxWaitMs: 2_000,
  });
  const clock = systemClock;
  const fetcher = createBlobFetcher({ clock, logger: silentLogger, sync: false, limits: { silenceMs } });
  const host = localHost(runCommand);
  return {
    clients,
    probe: makeRegistryProbe({ clients, timeoutMs: 5_000, clock }),
    transport: makeImageTransport({ fetcher, engine, blobsDir, host, pid: process.pid, logger: silentLogger, clock }),
    blobsDir,
    close: async () => {
      await clients.close();
      if (given.blobsDir === undefined) await rm(blobsDir, { recursive: true, force: true });
    },
  };
}
