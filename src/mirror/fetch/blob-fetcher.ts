import { createReadStream } from 'node:fs';
import type { Clock } from '../../base/clock.js';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { identify } from '../../host/lock.js';
import type { BlobFetcher, FetchBlobRequest, FetchedFrom } from '../content/types.js';
import { type RoundLimits, runRound } from './blob-round.js';
import { type ConnectionLimits, makeConnectionBudget } from './connection-budget.js';
import { makeMemoryPart } from './memory-part.js';
import { foundFault } from './origin-fault.js';
import { makeOriginMeter, type OriginMeter } from './origin-meter.js';
import { claimPart } from './part-claim.js';
import { openDiskPart, type PartStore } from './part-store.js';
import { digestAlgorithm } from './prefix-digest.js';
import { isBlobFile } from './present-file.js';
import { makeRoundOrigin, type RoundOrigin } from './round-origin.js';

/*
 * How a blob is brought in.
 *
 * Work. A blob is one range; whoever gets free takes what nobody has, else the end of the range that has longest to go
 * (`work-split`), shared by the speeds of both. So on a fast link one connection reads it all in order, with no cost
 * but the reading, and where each connection is held many share it. What can't be shared any more is raced for.
 * How many there are is found out by trying (`connection-budget`); which origin serves, by measuring (`origin-meter`).
 *
 * Bytes. The first to bring a byte has brought it: later copies are dropped, so each is written and digested once. The
 * digest takes chunks from memory while they come in order, and reads back from the file what came before its turn.
 * The file is the only buffer of size: a target that streams slower than the network is served from it.
 *
 * Trust. Nothing is believed before the digest of the whole is right. If it is wrong and all came from one origin, that
 * one is dropped; if several (or an earlier process) had part in it, the origins are read alone, one after the other.
 */

export interface BlobFetcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For jitter: 0 up to 1. */
  readonly random?: (() => number) | undefined;
  readonly connections?: Partial<ConnectionLimits> | undefined;
  readonly limits?: Partial<RoundLimits> | undefined;
  /** Flush a blob to the disk before it gets its name; true where absent. */
  readonly sync?: boolean | undefined;
  /** How long another process may hold a part file without progress, milliseconds. */
  readonly lockPatienceMs?: number | undefined;
  /** In place of files beside `path`, for tests: nothing is locked or looked for then. */
  readonly openStore?: ((request: FetchBlobRequest) => Promise<PartStore>) | undefined;
}

const connectionLimits: ConnectionLimits = { perHost: 8, total: 16 };
const roundLimits: RoundLimits = {
  minSegment: 1 << 20,
  buffered: 1 << 20,
  silenceMs: 10_000,
  softSilenceMs: 2_000,
  tickMs: 100,
};

/** What one `fetch` works with. */
interface Fetch {
  readonly request: FetchBlobRequest;
  readonly store: PartStore;
  readonly sources: readonly RoundOrigin[];
}

/**
 * A fetcher; see `BlobFetcher`. It holds no connections or files between fetches and needs no closing. Two fetches of
 * one path follow one another.
 */
export function createBlobFetcher(options: BlobFetcherOptions): BlobFetcher {
  const { clock, logger, random = Math.random, sync = true, lockPatienceMs = 30_000, openStore } = options;
  const limits = { ...roundLimits, ...options.limits };
  const connections = { ...connectionLimits, ...options.connections };
  const budget = makeConnectionBudget(connections);
  const meters = new Map<string, OriginMeter>();
  /** Who served something else under which digest. */
  const liars = new Map<string, Set<string>>();
  const busyPaths = new Map<string, Promise<unknown>>();
  let privateParts = 0;
  const self = identify({ root: '' }, process.pid);
  self.catch(() => {});

  function meterOf(host: string): OriginMeter {
    const known = meters.get(host);
    if (known !== undefined) return known;
    const made = makeOriginMeter(host, connections.perHost, random);
    meters.set(host, made);
    return made;
  }

  function sourcesFor({ blob, origins }: FetchBlobRequest): readonly RoundOrigin[] {
    return origins.map((origin) => {
      const source = makeRoundOrigin(origin, meterOf(origin.host));
      if (liars.get(blob.digest)?.has(originKey(source)) === true) {
        source.fault = foundFault('served something else before', { final: true, lied: true });
        source.dropped = true;
      }
      return source;
    });
  }

  function noteLiar(source: RoundOrigin, digest: string, got: string): void {
    source.fault = foundFault(`served ${got}`, { final: true, lied: true });
    source.dropped = true;
    source.meter.suspect = true;
    const known = liars.get(digest) ?? new Set();
    liars.set(digest, known.add(originKey(source)));
    logger.warn('an origin serves something else than the blob', { origin: source.origin.name, digest, got });
  }

  async function round(fetch: Fetch, sources: readonly RoundOrigin[]): Promise<string> {
    const { request, store } = fetch;
    for (const source of fetch.sources) source.contributed = 0;
    return runRound({
      blob: request.blob,
      sources,
      store,
      budget,
      limits,
      clock,
      signal: request.signal,
      onPrefix: request.onPrefix,
      onBytes: (bytes, source) => request.onBytes?.(bytes, source.origin.name),
    });
  }

  /** Rounds until the store holds the blob. */
  async function bring(fetch: Fetch): Promise<void> {
    const { request, store, sources } = fetch;
    const { digest } = request.blob;
    let alone = false;
    let before: readonly RoundOrigin[] = [];
    for (;;) {
      const kept = sources.filter((source) => !source.dropped);
      if (kept.length === 0) throw nobodyServes(fetch);
      const fresh = kept.filter((source) => !before.includes(source));
      const chosen = alone ? (fresh.length > 0 ? fresh : kept).slice(0, 1) : kept;
      const found = store.found.length > 0;
      let got: string;
      try {
        got = await round(fetch, chosen);
      } catch (error) {
        if (!(error instanceof HyperupError) || error.code !== 'ImageUnavailable') throw error;
        if (!alone) throw nobodyServes(fetch);
        await startAgain(fetch, undefined);
        continue;
      }
      if (got === digest) return;
      const part = sources.filter((source) => source.contributed > 0);
      const [only] = part;
      if (only !== undefined && part.length === 1 && !found) noteLiar(only, digest, got);
      else {
        alone = true;
        before = part;
        if (part.length > 1) for (const source of part) source.meter.suspect = true;
        logger.warn('a blob of several parts came out wrong; reading the origins one by one', { digest, got });
      }
      await startAgain(fetch, got);
    }
  }

  async function startAgain({ request, store, sources }: Fetch, got: string | undefined): Promise<void> {
    await store.restart();
    if (request.onPrefix === undefined) return;
    if (request.onRestart !== undefined) await request.onRestart();
    else throw wrongDigest(request.blob.digest, sources, `the digest of what came first is ${got ?? 'unknown'}`);
  }

  async function fetchWith(request: FetchBlobRequest, store: PartStore): Promise<readonly FetchedFrom[]> {
    const fetch: Fetch = { request, store, sources: sourcesFor(request) };
    const found = store.found.reduce((sum, { start, end }) => sum + end - start, 0);
    if (found > 0) request.onBytes?.(found, undefined);
    await bring(fetch);
    request.onVerified?.();
    const [only, ...others] = fetch.sources.filter((source) => source.contributed > 0);
    if (only !== undefined && others.length === 0) only.meter.suspect = false;
    const served = fetch.sources.filter((source) => source.served > 0);
    return served.map(({ origin, served: bytes }) => ({ origin: origin.name, bytes }));
  }

  async function fetchToDisk(request: FetchBlobRequest, path: string): Promise<readonly FetchedFrom[]> {
    const { blob, signal } = request;
    const suffix = `${process.pid}-${++privateParts}`;
    const claim = await claimPart({
      path,
      clock,
      logger,
      signal,
      identity: await self,
      patienceMs: lockPatienceMs,
      suffix,
    });
    try {
      if (await isBlobFile(path, blob, signal)) {
        request.onBytes?.(blob.size, undefined);
        await feed(path, request);
        return [];
      }
      const { partPath } = claim;
      const store = await openDiskPart({ identity: blob, path, partPath, sync, logger });
      try {
        const from = await fetchWith(request, store);
        await store.complete();
        return from;
      } catch (error) {
        await store.close(claim.isPrivate);
        throw error;
      }
    } finally {
      await claim.release();
    }
  }

  return {
    async fetch(request) {
      digestAlgorithm(request.blob.digest);
      throwIfAborted(request.signal, `fetch ${request.blob.digest}`);
      const { path } = request;
      if (openStore !== undefined || path === undefined) {
        const store = (await openStore?.(request)) ?? makeMemoryPart(request.blob.size);
        const from = await fetchWith(request, store);
        await store.complete();
        return from;
      }
      const earlier = busyPaths.get(path) ?? Promise.resolve();
      const work = settledOrAborted(earlier, request).then(() => fetchToDisk(request, path));
      busyPaths.set(path, work);
      try {
        return await work;
      } finally {
        if (busyPaths.get(path) === work) busyPaths.delete(path);
      }
    },
  };
}

/** Waits for an earlier fetch of the same path, however that ends. */
async function settledOrAborted(earlier: Promise<unknown>, { signal, blob }: FetchBlobRequest): Promise<void> {
  const settled = earlier.then(
    () => {},
    () => {},
  );
  if (signal === undefined) return settled;
  const leave = new AbortController();
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: leave.signal });
  });
  await Promise.race([settled, aborted]);
  leave.abort();
  throwIfAborted(signal, `fetch ${blob.digest}`);
}

/** Gives a target that streams what lies in the file. */
async function feed(path: string, { onPrefix, signal }: FetchBlobRequest): Promise<void> {
  if (onPrefix === undefined) return;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) await onPrefix(chunk as Buffer);
}

function originKey({ origin }: RoundOrigin): string {
  return `${origin.host} ${origin.name}`;
}

function reasons(sources: readonly RoundOrigin[]): string {
  return sources.map(({ origin, fault }) => `${origin.name}: ${fault?.message ?? 'not asked'}`).join('; ');
}

function nobodyServes({ request, sources }: Fetch): HyperupError {
  const { digest } = request.blob;
  if (sources.length > 0 && sources.every((source) => source.fault?.lied === true)) {
    return wrongDigest(digest, sources, reasons(sources));
  }
  return new HyperupError('ImageUnavailable', `fetch ${digest}: ${reasons(sources) || 'no origin was given'}`, {
    hint: 'Run the command again to go on where it stopped, or name another mirror.',
    details: { digest, origins: details(sources) },
  });
}

function wrongDigest(digest: string, sources: readonly RoundOrigin[], what: string): HyperupError {
  return new HyperupError('DigestMismatch', `fetch ${digest}: ${what}`, {
    hint: 'The content is not what the digest stands for, and nothing of it was kept. Use another mirror.',
    details: { digest, origins: details(sources) },
  });
}

function details(
  sources: readonly RoundOrigin[],
): readonly { readonly origin: string; readonly reason: string; readonly slow: boolean }[] {
  return sources.map(({ origin, fault }) => ({
    origin: origin.name,
    reason: fault?.message ?? '',
    slow: fault?.slow ?? false,
  }));
}
