import type { ClientRequest } from 'node:http';
import type { TcpNetConnectOpts } from 'node:net';

/** Node's 250 ms give up on addresses that are merely far away. */
export const addressAttemptMs = 1500;

/** How a plain HTTP origin is connected to. */
export function connectOptions(url: URL): TcpNetConnectOpts {
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 80 : Number(url.port),
    noDelay: true,
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
  };
}

/** Ends a request that has no connection within that time. */
export function limitConnecting(request: ClientRequest, limitMs: number): void {
  request.once('socket', (socket) => {
    // One that is used again is connected.
    if (!socket.connecting) return;
    const late = () => request.destroy(withCode(`no connection within ${limitMs} ms`, 'UND_ERR_CONNECT_TIMEOUT'));
    const timer = setTimeout(late, limitMs);
    socket.once('connect', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  });
}

/** An error that `networkFailure` knows by its code. */
export function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What a signal was aborted with, to end a stream with. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
