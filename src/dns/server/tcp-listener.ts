import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { HyperupError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { later, type Responder } from './responder.js';
import type { DnsListener } from './udp-listener.js';

export interface TcpLimits {
  /** At once. Beyond it the one that has been quiet longest goes. */
  readonly connections: number;
  /** Of one address. */
  readonly connectionsAClient: number;
  /** Without a whole query. */
  readonly idleMs: number;
  /** Questions of one connection that wait for resolvers; what follows is read after them. */
  readonly waiting: number;
  /** Answers that the client doesn't take, in bytes. */
  readonly unreadBytes: number;
}

export const defaultTcpLimits: TcpLimits = {
  connections: 512,
  connectionsAClient: 128,
  idleMs: 8000,
  waiting: 64,
  unreadBytes: 256 * 1024,
};

export interface TcpListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  readonly logger: Logger;
  readonly limits?: TcpLimits | undefined;
}

interface Connection {
  readonly socket: Socket;
  readonly client: string;
  pending: Buffer;
  waiting: number;
  timer: NodeJS.Timeout;
}

/**
 * Serves DNS over TCP (RFC 7766): several queries a connection, answered in whatever order they are ready. A flood of
 * connections that say nothing costs the flooder its own first, then the quietest: others are served on.
 */
export function createTcpListener(options: TcpListenerOptions): DnsListener {
  const { responder, logger, limits = defaultTcpLimits } = options;
  const ipv6 = isIPv6(options.address);
  const out = Buffer.alloc(0x10000);
  /** In the order of their last query, quietest first. */
  const connections = new Set<Connection>();
  const perClient = new Map<string, number>();
  let server: Server | undefined;

  function accept(socket: Socket): void {
    const client = socket.remoteAddress ?? '';
    const count = perClient.get(client) ?? 0;
    if (count >= limits.connectionsAClient) {
      for (const other of connections) {
        if (other.client !== client) continue;
        close(other);
        break;
      }
    }
    if (connections.size >= limits.connections) {
      for (const quietest of connections) {
        close(quietest);
        break;
      }
    }
    const connection: Connection = {
      socket,
      client,
      pending: Buffer.alloc(0),
      waiting: 0,
      timer: setTimeout(() => close(connection), limits.idleMs),
    };
    connections.add(connection);
    perClient.set(client, (perClient.get(client) ?? 0) + 1);
    socket.setNoDelay(true);
    socket.on('error', () => close(connection));
    socket.on('close', () => close(connection));
    socket.on('data', (chunk: Buffer) => {
      connection.pending = connection.pending.length === 0 ? chunk : Buffer.concat([connection.pending, chunk]);
      readQueries(connection);
    });
    socket.on('drain', () => readQueries(connection));
  }

  function close(connection: Connection): void {
    if (!connections.delete(connection)) return;
    clearTimeout(connection.timer);
    const left = (perClient.get(connection.client) ?? 1) - 1;
    if (left > 0) perClient.set(connection.client, left);
    else perClient.delete(connection.client);
    connection.pending = Buffer.alloc(0);
    connection.socket.destroy();
  }

  function isBusy({ waiting, socket }: Connection): boolean {
    return waiting >= limits.waiting || socket.writableLength >= limits.unreadBytes;
  }

  /** Answers every whole query that is there; the rest waits for more bytes, or for the client to take what it has. */
  function readQueries(connection: Connection): void {
    let answered = false;
    while (connections.has(connection)) {
      const { pending, socket } = connection;
      if (isBusy(connection)) {
        socket.pause();
        break;
      }
      const wanted = pending.length < 2 ? 2 : pending.readUInt16BE(0) + 2;
      if (pending.length < wanted) {
        socket.resume();
        break;
      }
      connection.pending = pending.subarray(wanted);
      answered = true;
      if (!answer(connection, pending.subarray(2, wanted))) {
        close(connection);
        return;
      }
    }
    if (answered) touch(connection);
  }

  /** Only whole queries count: a byte now and then keeps no connection. */
  function touch(connection: Connection): void {
    if (!connections.delete(connection)) return;
    connections.add(connection);
    connection.timer.refresh();
  }

  /** False for what is no query: nothing good follows. */
  function answer(connection: Connection, message: Buffer): boolean {
    const length = responder.respond(message, out, 1, ipv6);
    if (length === 0) return false;
    if (length !== later) {
      send(connection, out.subarray(0, length));
      return true;
    }
    connection.waiting += 1;
    void responder.respondLater(message, 1, ipv6).then((bytes) => {
      connection.waiting -= 1;
      if (!connections.has(connection)) return;
      send(connection, bytes);
      readQueries(connection);
      touch(connection);
    });
    return true;
  }

  function send({ socket }: Connection, bytes: Buffer): void {
    const framed = Buffer.allocUnsafe(bytes.length + 2);
    framed.writeUInt16BE(bytes.length, 0);
    bytes.copy(framed, 2);
    socket.write(framed);
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        const made = createServer({ allowHalfOpen: false }, accept);
        made.once('error', (error) => {
          const action = `listen on ${options.address}:${options.port}/TCP`;
          reject(new HyperupError('Conflict', `${action}: ${error.message}`, { cause: error }));
        });
        made.listen({ host: options.address, port: options.port, backlog: 1024 }, () => {
          made.removeAllListeners('error');
          made.on('error', (error) => logger.warn('A connection could not be taken', { err: error.message }));
          server = made;
          const bound = made.address();
          resolve({ port: typeof bound === 'object' && bound !== null ? bound.port : options.port });
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        if (server === undefined) resolve();
        else server.close(() => resolve());
        server = undefined;
        for (const connection of [...connections]) close(connection);
      }),
  };
}
