import { type Clock, systemClock } from '../base/clock.js';
import { getBlob, headBlob } from './blobs.js';
import { type Caller, createCaller } from './caller.js';
import { closedError } from './exchange.js';
import { listReferrers, listTags } from './listings.js';
import { getManifest, headManifest, putManifest } from './manifests.js';
import { ping } from './ping.js';
import type { RateLimit } from './rate-limit.js';
import { createTransport, type Transport } from './transport.js';
import { createTrust, dockerCertificateFolder, systemCaFiles } from './trust.js';
import type { RegistryClient, RegistryClients, RegistryClientsOptions } from './types.js';
import { resumeUpload, startUpload } from './uploads.js';

/** What has a default. */
export interface RegistryClientsTuning {
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Tries after the first, of what may be asked twice. */
  readonly retries?: number | undefined;
  /** The longest `Retry-After` that is waited out, milliseconds. */
  readonly maxWaitMs?: number | undefined;
  /** Called whenever a registry says how much may still be asked of it. */
  readonly onRateLimit?: ((host: string, limit: RateLimit) => void) | undefined;
  readonly caFiles?: readonly string[] | undefined;
  readonly certificateFolder?: string | undefined;
}

const defaultRetries = 4;
const defaultMaxWaitMs = 60_000;

/** Clients by host and scheme over shared connections; the caller closes them. See `RegistryClients`. */
export function createRegistryClients(options: RegistryClientsOptions & RegistryClientsTuning): RegistryClients {
  const { extraCas, isInsecure, connectTimeoutMs, silenceMs, clock = systemClock, random = Math.random } = options;
  const trust = createTrust({
    extraCas,
    caFiles: options.caFiles ?? systemCaFiles,
    certificateFolder: options.certificateFolder ?? dockerCertificateFolder,
  });
  const transport = createTransport({ proxies: options.proxies, trust, isInsecure, connectTimeoutMs });
  const clients = new Map<string, RegistryClient>();
  const closing = new AbortController();

  const make = (host: string, scheme: 'http' | 'https' | undefined, forget: () => void): RegistryClient => {
    const closed = new AbortController();
    const caller = createCaller({
      host,
      scheme,
      isInsecure: () => isInsecure(host),
      transport: whileOpen(transport, closing.signal, host),
      limits: { connectTimeoutMs, silenceMs },
      retry: {
        retries: options.retries ?? defaultRetries,
        maxWaitMs: options.maxWaitMs ?? defaultMaxWaitMs,
        clock,
        random,
      },
      credentials: options.credentials,
      onRateLimit: options.onRateLimit,
      closed: closed.signal,
    });
    return clientOver(caller, () => {
      forget();
      closed.abort(closedError(`ask ${host}`));
    });
  };

  return {
    clientFor(host, scheme) {
      const key = `${scheme ?? ''} ${host}`;
      const known = clients.get(key);
      if (known !== undefined) return known;
      const made = make(host, scheme, () => clients.delete(key));
      clients.set(key, made);
      return made;
    },
    async close() {
      closing.abort();
      await Promise.all([...clients.values()].map((client) => client.close()));
      await transport.close();
    },
  };
}

function clientOver(caller: Caller, close: () => void): RegistryClient {
  return {
    host: caller.host,
    ping: (options) => ping(caller, options),
    getManifest: (path, name, options) => getManifest(caller, path, name, options),
    headManifest: (path, name, options) => headManifest(caller, path, name, options),
    putManifest: (path, name, manifest, options) => putManifest(caller, path, name, manifest, options),
    getBlob: (path, digest, range, options) => getBlob(caller, path, digest, range, options),
    headBlob: (path, digest, options) => headBlob(caller, path, digest, options),
    startUpload: (path, mount, options) => startUpload(caller, path, mount, options),
    resumeUpload: (location, options) => resumeUpload(caller, location, options),
    listTags: (path, options) => listTags(caller, path, options),
    listReferrers: (path, digest, options) => listReferrers(caller, path, digest, options),
    async close() {
      close();
    },
  };
}

/** New connections after the end would never be closed. */
function whileOpen(transport: Transport, closed: AbortSignal, host: string): Transport {
  return {
    ...transport,
    async route(url) {
      if (closed.aborted) throw closedError(`ask ${host}`);
      return await transport.route(url);
    },
  };
}
