import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection } from './endpoint.js';

/** The engine's answer to a request for a raw connection: the connection, or a plain answer that refuses it. */
export type UpgradeAnswer =
  | { readonly kind: 'upgraded'; readonly socket: Socket }
  | { readonly kind: 'refused'; readonly response: IncomingMessage };

/**
 * Asks for a raw two-way connection by `POST`, on a socket of its own that is the caller's from then on: nothing that
 * came with the answer's header is lost, nothing is read before the caller reads, and `end()` closes this side alone.
 * Not by docker-modem: without a body it announces a chunked one, whose last bytes the process could take for input,
 * and it gives a refusal in a wrapper of its own. Rejects with the raw error; the signal counts up to the answer's header.
 */
export function dialUpgrade(
  connection: Connection,
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<UpgradeAnswer> {
  return new Promise((resolve, reject) => {
    const text = body ? JSON.stringify(body) : '';
    const options = {
      method: 'POST',
      path,
      agent: false,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'tcp',
        'Content-Length': Buffer.byteLength(text),
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
    };
    const request =
      connection.kind === 'tls'
        ? process.getBuiltinModule('node:https').request({ ...options, ...tlsOptions(connection) })
        : httpRequest({ ...options, ...addressOf(connection) });
    const onAbort = () => request.destroy(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = () => signal.removeEventListener('abort', onAbort);
    request.once('upgrade', (_response, socket: Socket, head: Buffer) => {
      settled();
      // The listener must be there at once: a connection may break before the caller looks at it.
      socket.on('error', () => {});
      if (head.length > 0) socket.unshift(head);
      resolve({ kind: 'upgraded', socket });
    });
    request.once('response', (response) => {
      settled();
      resolve({ kind: 'refused', response });
    });
    request.on('error', (error) => {
      settled();
      reject(error);
    });
    if (signal.aborted) onAbort();
    else request.end(text);
  });
}

function addressOf(connection: Exclude<Connection, { readonly kind: 'tls' }>) {
  if (connection.kind === 'unix') return { socketPath: connection.path };
  return { host: connection.host, port: connection.port };
}

function tlsOptions({ host, port, ca, cert, key, verify }: Extract<Connection, { readonly kind: 'tls' }>) {
  return { host, port, ca, cert, key, rejectUnauthorized: verify };
}
