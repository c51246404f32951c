import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { HyperupError, messageOf } from '../../base/errors.js';
import { type Upstream, upstreamName } from './types.js';
import { isAnswerTo } from './upstream-message.js';

export interface UdpExchange {
  /** The answer to the query, which has its id put in. Throws `Timeout`, `ApiFailed` (nothing listens there), `Aborted`. */
  ask(query: Buffer, timeoutMs: number): Promise<Buffer>;
  close(): void;
}

interface Waiting {
  readonly query: Buffer;
  readonly resolve: (message: Buffer) => void;
  readonly reject: (error: HyperupError) => void;
  readonly timer: NodeJS.Timeout;
}

interface Port {
  readonly socket: Socket;
  readonly ready: Promise<void>;
  readonly waiting: Map<number, Waiting>;
  left: number;
  retired: boolean;
}

/** Sockets at once, each with a port that the kernel chose, and queries until one is replaced: what a forger has to guess. */
const portCount = 8;
const queriesAPort = 256;

/**
 * Asks one resolver over UDP: random ids on sockets with random ports, connected, so that answers from elsewhere never
 * arrive and a refusal is heard of at once.
 */
export function createUdpExchange(upstream: Upstream): UdpExchange {
  const ports: (Port | undefined)[] = Array.from({ length: portCount });
  const all = new Set<Port>();
  let closed = false;

  function failAll(port: Port, error: HyperupError): void {
    for (const waiting of [...port.waiting.values()]) waiting.reject(error);
  }

  function discard(port: Port): void {
    if (!all.delete(port)) return;
    port.retired = true;
    port.socket.close();
  }

  function open(): Port {
    const socket = createSocket({ type: isIPv6(upstream.address) ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
    const port: Port = { socket, ready: connect(socket), waiting: new Map(), left: queriesAPort, retired: false };
    all.add(port);
    port.ready.catch(() => {});
    socket.on('message', (message: Buffer) => {
      const waiting = message.length < 2 ? undefined : port.waiting.get(message.readUInt16BE(0));
      if (waiting !== undefined && isAnswerTo(message, waiting.query)) waiting.resolve(message);
    });
    socket.on('error', (error: Error) => failAll(port, refused(error)));
    return port;
  }

  function connect(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(upstream.port, upstream.address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  }

  function refused(error: unknown): HyperupError {
    return new HyperupError('ApiFailed', `ask resolver ${upstreamName(upstream)}: ${messageOf(error)}`, {
      cause: error,
    });
  }

  function takePort(): Port {
    const index = randomInt(portCount);
    let port = ports[index];
    if (port === undefined || port.left === 0 || port.retired) {
      if (port !== undefined) {
        port.retired = true;
        if (port.waiting.size === 0) discard(port);
      }
      port = open();
      ports[index] = port;
    }
    port.left -= 1;
    return port;
  }

  function freeId(port: Port): number {
    for (;;) {
      const id = randomInt(0x10000);
      if (!port.waiting.has(id)) return id;
    }
  }

  return {
    async ask(template, timeoutMs) {
      if (closed) throw new HyperupError('Aborted', `ask resolver ${upstreamName(upstream)}: closed`);
      const port = takePort();
      const query = Buffer.from(template);
      const id = freeId(port);
      query.writeUInt16BE(id, 0);
      return await new Promise<Buffer>((resolve, reject) => {
        const end = () => {
          clearTimeout(timer);
          port.waiting.delete(id);
          if (port.retired && port.waiting.size === 0) discard(port);
        };
        const fail = (error: HyperupError) => {
          end();
          reject(error);
        };
        const timer = setTimeout(() => {
          const action = `ask resolver ${upstreamName(upstream)}`;
          fail(new HyperupError('Timeout', `${action}: got no answer in ${timeoutMs} ms`));
        }, timeoutMs);
        const succeed = (message: Buffer) => {
          end();
          resolve(message);
        };
        port.waiting.set(id, { query, resolve: succeed, reject: fail, timer });
        port.ready.then(
          () => {
            if (closed) return;
            port.socket.send(query, (error) => {
              if (error) fail(refused(error));
            });
          },
          (error: unknown) => {
            // Without a route there may be one later.
            discard(port);
            fail(refused(error));
          },
        );
      });
    },
    close() {
      closed = true;
      for (const port of [...all]) {
        failAll(port, new HyperupError('Aborted', `ask resolver ${upstreamName(upstream)}: closed`));
        discard(port);
      }
    },
  };
}
