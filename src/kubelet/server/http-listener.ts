import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { asFault } from './http-fault.js';
import { type RequestContext, sendText } from './request-context.js';
import { parseTarget, type Router } from './router.js';

/** As upstream's MaxHeaderBytes: a command is a part of the URL. */
export const maxHeaderBytes = 1 << 20;
/** Longer than the API server keeps idle connections (90 s), so that it never sends on one that ends just now. */
export const keepAliveTimeoutMs = 120_000;

export interface HttpListenerOptions {
  readonly server: Server;
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  readonly router: Router;
  /** Throws an HttpFault for what it doesn't let pass. */
  readonly authorize: (request: IncomingMessage, segments: readonly string[]) => Promise<void>;
  /** Told of every answer. */
  readonly observe?: ((method: string, segments: readonly string[], seconds: number) => void) | undefined;
  readonly logger: Logger;
}

export interface HttpListener {
  /** Throws `Conflict` where the port is taken. */
  start(): Promise<{ readonly port: number }>;
  /** Ends every connection. Idempotent. */
  stop(): Promise<void>;
}

/** Serves a router on one server, HTTP or HTTPS; nothing that a client sends ends the process. */
export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { server, logger } = options;
  const sockets = new Set<Socket>();

  async function serve(request: IncomingMessage, response: ServerResponse, offer: RequestContext['upgrade']) {
    const gone = new AbortController();
    const startedAt = performance.now();
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => gone.abort());
    const method = request.method ?? '';
    let segments: readonly string[] = [];
    try {
      const target = parseTarget(request.url ?? '');
      segments = target.segments;
      await options.authorize(request, segments);
      const { endpoint, params } = options.router(method, segments);
      const context = { request, response, method, params, ...target, signal: gone.signal, upgrade: offer };
      // Bodies have no meaning here; what isn't read would block the connection.
      if (offer === undefined) request.resume();
      await endpoint(context);
    } catch (error) {
      fail(response, error, `${method} /${segments.join('/')}`);
    } finally {
      options.observe?.(method, segments, (performance.now() - startedAt) / 1000);
    }
  }

  function fail(response: ServerResponse, error: unknown, what: string): void {
    const fault = asFault(error);
    if (fault.status >= 500) logger.warn('a request failed', { request: what, err: messageOf(error) });
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(fault.headers)) response.setHeader(name, value.split(', '));
    sendText(response, fault.status, fault.message);
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    // Anything but a taken offer is answered as a plain request whose connection then ends.
    response.assignSocket(socket as Socket);
    let taken = false;
    response.on('finish', () => {
      if (taken) return;
      response.detachSocket(socket as Socket);
      socket.end();
      socket.resume();
    });
    const offer = () => {
      taken = true;
      response.detachSocket(socket as Socket);
      return { socket, head };
    };
    void serve(request, response, offer);
  }

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void serve(request, response, undefined);
  });
  server.on('upgrade', onUpgrade);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // Half an exec's traffic is a few bytes at a time.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  server.on('tlsClientError', (error: Error) => logger.debug('a TLS handshake failed', { err: error.message }));

  return {
    start: () =>
      new Promise((resolve, reject) => {
        const failed = (error: Error) => {
          const action = `listen on ${options.address}:${options.port}`;
          reject(new HyperupError('Conflict', `${action}: ${error.message}`, { cause: error }));
        };
        server.once('error', failed);
        server.listen({ host: options.address, port: options.port }, () => {
          server.off('error', failed);
          server.on('error', (error: Error) => logger.warn('the kubelet server has a problem', { err: error.message }));
          const bound = server.address();
          resolve({ port: typeof bound === 'object' && bound !== null ? bound.port : options.port });
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
