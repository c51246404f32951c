import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type FakeCertificates, makeFakeCertificates } from './fake-api-server-certs.js';
import {
  FakeStore,
  mergePatch,
  parsePath,
  type StoredEvent,
  type StoredObject,
  type Target,
} from './fake-api-server-store.js';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Parsed where it is JSON. */
  readonly body: unknown;
  /** The CN of the client's certificate, where it showed one of ours. */
  readonly user: string | undefined;
}

export type FakeHandler = (request: RecordedRequest, response: ServerResponse) => void;

export interface FakeApiServer {
  readonly url: string;
  readonly port: number;
  readonly certificates: FakeCertificates;
  /** In order of arrival; a test may take them out. */
  readonly requests: RecordedRequest[];
  readonly store: FakeStore;
  /** Answers `METHOD /path` by hand from now on, before the store is asked; once only with `times`. */
  on(methodAndPath: string, handler: FakeHandler, times?: number): void;
  /** Ends every open watch as the server does when its time is over. */
  endWatches(): void;
  /** Resets every connection. */
  dropConnections(): void;
  openWatches(): number;
  close(): Promise<void>;
}

export interface FakeApiServerOptions {
  readonly certificates?: FakeCertificates;
  readonly port?: number;
  /** Refuses connections without a client certificate of ours. */
  readonly requireClientCertificate?: boolean;
}

/**
 * An API server over real TLS on 127.0.0.1, with objects, resource versions, watches and compaction in memory. Paths
 * that are no resource's answer 404 unless a handler is set. It validates nothing and has no defaults.
 */
export async function startFakeApiServer(options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const certificates = options.certificates ?? (await makeFakeCertificates());
  const store = new FakeStore();
  const requests: RecordedRequest[] = [];
  const handlers = new Map<string, { handler: FakeHandler; left: number }>();
  const watches = new Set<ServerResponse>();
  const sockets = new Set<Socket>();

  const server = createServer(
    {
      ca: certificates.authority.certPem,
      cert: certificates.server.certPem,
      key: certificates.server.keyPem,
      requestCert: true,
      rejectUnauthorized: options.requireClientCertificate ?? false,
    },
    (message, response) => {
      void readRequest(message).then((request) => {
        requests.push(request);
        const scripted = handlers.get(`${request.method} ${request.path}`);
        if (scripted && scripted.left > 0) {
          scripted.left -= 1;
          scripted.handler(request, response);
        } else answer(request, response);
      });
    },
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that refuses our certificate resets the connection, which some tests want.
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});

  function answer(request: RecordedRequest, response: ServerResponse): void {
    const target = parsePath(request.path);
    if (!target) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
      return;
    }
    if (request.method === 'GET' && request.query.has('watch')) watch(target, request, response);
    else sendJson(response, ...replyTo(target, request));
  }

  /** HTTP status and body. */
  function replyTo(target: Target, request: RecordedRequest): [number, unknown] {
    const found = target.name === undefined ? undefined : store.get(target);
    const { method } = request;
    const body = request.body as StoredObject;
    if (method === 'GET' && target.name === undefined) return [200, listPage(store, target, request.query)];
    if (method === 'POST' && target.name === undefined) {
      const { name } = body.metadata;
      return store.get({ ...target, name }) ? status(409, 'AlreadyExists', name) : [201, store.put(target, body)];
    }
    const contentType = request.headers['content-type'];
    const isApply = contentType === 'application/apply-patch+yaml';
    if (contentType === 'application/json-patch+json') return status(415, 'UnsupportedMediaType', 'not in this fake');
    if (method === 'PATCH' && (found || isApply)) {
      return [found ? 200 : 201, store.put(target, mergePatch(found, body) as StoredObject)];
    }
    if (!found) return status(404, 'NotFound', `${target.name} not found`);
    if (method === 'GET') return [200, found];
    if (method === 'DELETE') return [200, store.remove(target)];
    if (method !== 'PUT') return status(405, 'MethodNotAllowed', `${method} is not supported`);
    const { resourceVersion } = body.metadata;
    if (resourceVersion && resourceVersion !== found.metadata.resourceVersion) {
      return status(409, 'Conflict', 'the object has been modified');
    }
    return [200, store.put(target, target.subresource === 'status' ? { ...found, status: body.status } : body)];
  }

  function watch(target: Target, request: RecordedRequest, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    const from = Number(request.query.get('resourceVersion') || store.version);
    const write = (event: StoredEvent) => {
      if (event.version <= from || event.collection !== target.collection) return;
      if (target.namespace !== undefined && target.namespace !== event.namespace) return;
      response.write(`${JSON.stringify({ type: event.type, object: event.object })}\n`);
    };
    if (from !== 0 && from < store.compactedBefore) {
      const object = statusBody(410, 'Expired', 'too old resource version');
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    store.history.forEach(write);
    const stop = store.subscribe(write);
    watches.add(response);
    response.on('close', () => {
      stop();
      watches.delete(response);
    });
  }

  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    certificates,
    requests,
    store,
    on(methodAndPath, handler, times = Number.POSITIVE_INFINITY) {
      handlers.set(methodAndPath, { handler, left: times });
    },
    endWatches() {
      for (const response of watches) response.end();
    },
    dropConnections() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    openWatches: () => watches.size,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function readRequest(message: IncomingMessage): Promise<RecordedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const url = new URL(message.url ?? '/', 'https://fake.invalid');
  const peer = message.socket as Socket & { authorized?: boolean; getPeerCertificate(): { subject?: { CN?: string } } };
  return {
    method: message.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    body: text === '' ? undefined : parseJson(text),
    user: peer.authorized ? peer.getPeerCertificate().subject?.CN : undefined,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Pages by `limit`; the continue token is the offset. */
function listPage(store: FakeStore, target: Target, query: URLSearchParams): unknown {
  const all = store.list(target);
  const start = Number(query.get('continue') ?? 0);
  const limit = Number(query.get('limit') ?? 0) || all.length;
  const more = start + limit < all.length;
  return {
    kind: 'List',
    metadata: { resourceVersion: String(store.version), ...(more ? { continue: String(start + limit) } : {}) },
    // As Go writes an empty slice.
    items: all.length === 0 ? null : all.slice(start, start + limit),
  };
}

function status(code: number, reason: string, message: string): [number, unknown] {
  return [code, statusBody(code, reason, message)];
}

export function statusBody(code: number, reason: string, message: string, details?: unknown) {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code, details };
}

export function sendJson(response: ServerResponse, statusCode: number, body: unknown): void {
  response.writeHead(statusCode, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function sendStatus(response: ServerResponse, code: number, reason: string, message: string): void {
  sendJson(response, code, statusBody(code, reason, message));
}
