import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import type { BlobFetcher, BlobOrigin } from '../../src/mirror/content/types.js';
import { type BlobFetcherOptions, createBlobFetcher } from '../../src/mirror/fetch/blob-fetcher.js';
import { registryOrigin } from '../../src/mirror/fetch/registry-origin.js';
import { createRegistryClients } from '../../src/registry/clients.js';

export interface FetchScene {
  readonly fetcher: BlobFetcher;
  readonly origins: readonly BlobOrigin[];
  close(): Promise<void>;
}

/** A fetcher over real clients of registries on loopback, each with its repository at `path`. */
export function makeFetchScene(
  hosts: readonly string[],
  path: string,
  options: Partial<BlobFetcherOptions> = {},
  silenceMs = 10_000,
): FetchScene {
  const clients = createRegistryClients({
    proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
    extraCas: [],
    isInsecure: () => true,
    credentials: { find: async () => undefined },
    connectTimeoutMs: 5_000,
    silenceMs,
    retries: 1,
  });
  return {
    fetcher: createBlobFetcher({ clock: systemClock, logger: silentLogger, ...options }),
    origins: hosts.map((host) => registryOrigin(clients.clientFor(host, 'http'), path, `mirror ${host}`)),
    close: () => clients.close(),
  };
}

export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
