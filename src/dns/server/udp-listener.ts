import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { HyperupError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { later, type Responder } from './responder.js';

export interface DnsListener {
  /** Throws `Conflict` where the port is taken. Port 0 takes any; the port that it took is given. */
  start(): Promise<{ readonly port: number }>;
  stop(): Promise<void>;
}

export interface UdpListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  readonly logger: Logger;
}

/** Datagrams that the kernel holds for us: half a second's worth, while the collector or a list has the process. */
const receiveBytes = 4 * 1024 * 1024;
/** Answers that the kernel didn't take yet; beyond that clients ask again. */
const maxUnsent = 1000;

/**
 * Serves DNS over UDP. All is done within the datagram's own event, in one buffer that is used again and again; only
 * where the kernel didn't take it at once does it need another.
 */
export function createUdpListener(options: UdpListenerOptions): DnsListener {
  const { responder, logger } = options;
  const ipv6 = isIPv6(options.address);
  let out = Buffer.alloc(0x10000);
  let socket: Socket | undefined;

  function onMessage(on: Socket, message: Buffer, from: RemoteInfo): void {
    const length = responder.respond(message, out, 0, ipv6);
    if (length > 0) {
      // Port 0 is nobody's; the kernel would throw.
      if (from.port === 0 || on.getSendQueueCount() > maxUnsent) return;
      on.send(out, 0, length, from.port, from.address);
      if (on.getSendQueueCount() > 0) out = Buffer.alloc(0x10000);
    } else if (length === later) {
      void responder.respondLater(message, 0, ipv6).then((answer) => {
        if (socket === on && from.port !== 0) on.send(answer, from.port, from.address);
      });
    }
  }

  return {
    async start() {
      const made = createSocket({
        type: ipv6 ? 'udp6' : 'udp4',
        recvBufferSize: receiveBytes,
        sendBufferSize: receiveBytes,
        // Addresses come from the kernel: nothing to look up, and no other turn of the loop for it.
        lookup: (address, _options, done) => done(null, address, ipv6 ? 6 : 4),
      });
      await new Promise<void>((resolve, reject) => {
        made.once('error', (error) => {
          const action = `listen on ${options.address}:${options.port}/UDP`;
          reject(new HyperupError('Conflict', `${action}: ${error.message}`, { cause: error }));
        });
        made.bind({ address: options.address, port: options.port }, resolve);
      });
      made.removeAllListeners('error');
      // A client that is gone, a route that is missing: nobody else's affair.
      made.on('error', (error) => logger.debug('A datagram could not be sent', { err: error.message }));
      made.on('message', (message: Buffer, from: RemoteInfo) => onMessage(made, message, from));
      socket = made;
      return { port: made.address().port };
    },
    stop: () =>
      new Promise((resolve) => {
        if (socket === undefined) resolve();
        else socket.close(() => resolve());
        socket = undefined;
      }),
  };
}
