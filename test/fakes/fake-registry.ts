/*
 * A registry in this process, for unit tests: pulls, pushes (chunked, mounted, resumed), tags in pages, referrers,
 * logins, and whatever can go wrong, decided request by request.
 *
 *   const registry = await startFakeRegistry({ auth: { kind: 'bearer' } });
 *   registry.addImage('a/b', 'v1', image);                  // of makeTinyImage(); or addBlob(), addManifest()
 *   registry.fault = ({ method, url, count }) => count === 1 ? { kind: 'status', status: 503 } : undefined;
 *   clients.clientFor(registry.host)                        // 127.0.0.1:PORT, plain HTTP unless `tls` is given
 *   registry.requests                                       // `METHOD PATH`, in order; `log` has headers too
 *   registry.blobs.get(digest); registry.manifests.get('a/b:v1'); registry.tokensGiven
 *   await registry.close();
 *
 * See `FakeRegistryOptions` and `RegistryFault` for what can be chosen.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { digestOf } from '../../src/registry/digest-of.js';
import type { TinyImage } from '../fixtures/registry-image.js';
import { manifestType } from '../fixtures/registry-image.js';
import { type FakeAuth, type FakeLogin, makeFakeLogin } from './fake-registry-auth.js';
import { type FaultyRequest, playFault, type RegistryFault } from './fake-registry-faults.js';
import { answerRequest, type RegistryContent, type StoredManifest } from './fake-registry-routes.js';

export type { FakeAuth } from './fake-registry-auth.js';
export type { FaultyRequest, RegistryFault } from './fake-registry-faults.js';

export interface FakeRegistryOptions {
  readonly auth?: FakeAuth | undefined;
  /** PEM; TLS in place of plain HTTP. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string } | undefined;
  /** Tags in one page where the client doesn't ask for fewer. */
  readonly pageSize?: number | undefined;
  /** Whole blobs, whatever range is asked for. */
  readonly ignoresRanges?: boolean | undefined;
  readonly withoutReferrers?: boolean | undefined;
  /** Never mounts, as registries may. */
  readonly withoutMounts?: boolean | undefined;
  /** An upload's `Location` as a path in place of a URL. */
  readonly relativeLocations?: boolean | undefined;
  /** Blobs are had from there: an origin, to which the path is added. */
  readonly redirectsBlobsTo?: string | undefined;
}

export interface LoggedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface FakeRegistry extends RegistryContent {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** `METHOD PATH` of each, in order, the token server's too. */
  readonly requests: readonly string[];
  readonly log: readonly LoggedRequest[];
  /** Decides what goes wrong with a request; may be changed at any time. */
  fault: ((request: FaultyRequest) => RegistryFault | undefined) | undefined;
  readonly tokensGiven: number;
  /** Made so far. */
  readonly connections: number;
  /** Tokens given so far are refused from now on. */
  expireTokens(): void;
  addBlob(bytes: Buffer): string;
  /** Gives its digest. */
  addManifest(path: string, tag: string, type: string, bytes: Buffer): string;
  /** Its manifest by tag and by digest, and its blobs. */
  addImage(path: string, tag: string, image: TinyImage): void;
  close(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1; the caller closes it. */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const log: LoggedRequest[] = [];
  const counts = new Map<string, number>();
  const content: RegistryContent = { blobs: new Map(), manifests: new Map(), uploads: new Map() };
  let login: FakeLogin | undefined;
  let fault: FakeRegistry['fault'];

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/', headers } = request;
    log.push({ method, url, headers });
    const key = `${method} ${url.split('?')[0]}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const broken = fault?.({ method, url, headers, count });
    if (broken && playFault(broken, request, response)) return;
    if (login?.serve(request, response)) return;
    answerRequest({ content, options, origin }, request, response, broken);
  };
  const server: Server = options.tls
    ? createTlsServer({ cert: options.tls.certPem, key: options.tls.keyPem }, handle)
    : createServer(handle);
  server.keepAliveTimeout = 30_000;
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const origin = `${options.tls ? 'https' : 'http'}://${host}`;
  login = options.auth && makeFakeLogin(options.auth, origin);

  const registry: FakeRegistry = {
    ...content,
    host,
    origin,
    log,
    get requests() {
      return log.map(({ method, url }) => `${method} ${url}`);
    },
    get fault() {
      return fault;
    },
    set fault(next) {
      fault = next;
    },
    get tokensGiven() {
      return login?.given() ?? 0;
    },
    get connections() {
      return connections;
    },
    expireTokens: () => login?.expire(),
    addBlob(bytes) {
      const digest = digestOf(bytes);
      content.blobs.set(digest, bytes);
      return digest;
    },
    addManifest(path, tag, type, bytes) {
      const digest = digestOf(bytes);
      const stored: StoredManifest = { type, bytes };
      content.manifests.set(`${path}:${tag}`, stored);
      content.manifests.set(`${path}@${digest}`, stored);
      return digest;
    },
    addImage(path, tag, image) {
      registry.addBlob(image.config.bytes);
      registry.addBlob(image.layer.bytes);
      registry.addManifest(path, tag, manifestType, image.manifest.bytes);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}
