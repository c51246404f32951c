import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Bundle } from './open-bundle.js';
import { type Answer, makeCatalogue, routeQuestion } from './serve-router.js';

export interface ServeBundleOptions {
  readonly bundle: Bundle;
  /** Empty: all addresses. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly logger: Logger;
  /** A client that takes and says nothing for this long is cut off, milliseconds. */
  readonly idleMs?: number | undefined;
}

export interface BundleServer {
  readonly port: number;
  /** Ends all connections, those in the middle of a blob too. */
  close(): Promise<void>;
}

const defaultIdleMs = 60_000;
/** Each has a buffer of a megabyte at most; more clients wait in the kernel's queue. */
const maxConnections = 512;

/**
 * Offers a bundle as a read-only registry. Blobs are read as each client takes them, so that a slow one costs memory for
 * one read and holds nobody up. Throws `Conflict` where the port is taken, `InvalidConfig` for a delta (pulls from it
 * would fail half-way) and for a certificate that doesn't fit its key.
 */
export async function serveBundle(options: ServeBundleOptions): Promise<BundleServer> {
  const { bundle, host, port, tls, logger, idleMs = defaultIdleMs } = options;
  if (bundle.manifest.base !== undefined) {
    throw new HyperupError(
      'InvalidConfig',
      `serve ${bundle.name}: it is a delta and lacks layers, want a whole bundle`,
    );
  }
  const catalogue = makeCatalogue(bundle.manifest.images);
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '' } = request;
    const answer = routeQuestion(catalogue, { method, url, range: request.headers.range });
    logger.debug('Request', { method, url, status: answer.status, client: request.socket.remoteAddress });
    // A body that nobody reads would hold the connection.
    request.resume();
    send(bundle, answer, method === 'HEAD', response, logger);
  };
  const server = makeServer(tls, listener);
  server.headersTimeout = 15_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 15_000;
  server.maxConnections = maxConnections;
  server.setTimeout(idleMs, (socket: Socket) => socket.destroy());
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function makeServer(
  tls: ServeBundleOptions['tls'],
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (tls === undefined) return createHttpServer(listener);
  try {
    return createHttpsServer({ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' }, listener);
  } catch (error) {
    throw new HyperupError('InvalidConfig', `serve: the certificate and its key can't be used: ${messageOf(error)}`, {
      hint: 'Both are PEM files, and the key is the certificate’s.',
      cause: error,
    });
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${host === '' ? '' : host}:${port}`;
      const taken = error.code === 'EADDRINUSE';
      reject(
        new HyperupError(taken ? 'Conflict' : 'InvalidConfig', `serve on ${where}: ${messageOf(error)}`, {
          ...(taken ? { hint: 'Choose another port with --listen :PORT.' } : {}),
          cause: error,
        }),
      );
    });
    server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
  });
}

function send(bundle: Bundle, answer: Answer, headOnly: boolean, response: ServerResponse, logger: Logger): void {
  response.writeHead(answer.status, { ...answer.headers, 'docker-distribution-api-version': 'registry/2.0' });
  if (headOnly) response.end();
  else if ('body' in answer) response.end(answer.body);
  else if ('document' in answer) response.end(bundle.document(answer.document));
  else {
    const { digest, start, length } = answer.blob;
    pipeline(bundle.openBlob(digest, start, length), response, (error) => {
      if (error) logger.debug('Blob was not taken to its end', { digest, err: messageOf(error) });
    });
  }
}
