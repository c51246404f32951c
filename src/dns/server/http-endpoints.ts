import { createServer, type Server } from 'node:http';
import { HyperupError } from '../../base/errors.js';

/** What a GET of the path gives. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string | undefined;
}

export interface HttpEndpointOptions {
  readonly address: string;
  /** 0 takes any. */
  readonly port: number;
  readonly path: string;
  readonly answer: () => HttpAnswer | Promise<HttpAnswer>;
}

export interface HttpEndpoint {
  readonly port: number;
  stop(): Promise<void>;
}

/** Serves one path, as CoreDNS' `health`, `ready` and `prometheus` do, each on a port of its own. Throws `Conflict`. */
export function serveHttpEndpoint(options: HttpEndpointOptions): Promise<HttpEndpoint> {
  const { address, port, path, answer } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 30_000 });
  server.maxConnections = 64;
  server.on('request', (request, response) => {
    request.resume();
    const send = ({ status, text, contentType = 'text/plain; charset=utf-8' }: HttpAnswer) =>
      response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) }).end(text);
    if ((request.url ?? '').split('?')[0] !== path) {
      send({ status: 404, text: '404 page not found\n' });
      return;
    }
    Promise.resolve()
      .then(answer)
      .then(send, () => response.destroy());
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new HyperupError('Conflict', `listen on ${address}:${port}: ${error.message}`, { cause: error }));
    });
    server.listen({ host: address, port }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve({ port: portOf(server, port), stop: () => stop(server) });
    });
  });
}

function portOf(server: Server, wanted: number): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : wanted;
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
