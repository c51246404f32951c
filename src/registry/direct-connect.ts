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

/** An error that `networkFailure` knows by its code. */
export function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What a signal was aborted with, to end a stream with. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
