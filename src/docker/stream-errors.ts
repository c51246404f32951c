import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { HyperupError, throwIfAborted } from '../base/errors.js';
import { transportError } from './errors.js';
import type { Transport } from './transport.js';

/** What a failure while reading an answer means: the caller's abort or time limit first, a lost engine else. */
export function streamError(
  action: string,
  transport: Transport,
  error: unknown,
  ...signals: readonly (AbortSignal | undefined)[]
): HyperupError {
  for (const signal of signals) {
    if (!signal?.aborted) continue;
    return signal.reason instanceof HyperupError
      ? signal.reason
      : new HyperupError('Aborted', `${action}: interrupted`, { cause: signal.reason });
  }
  return transportError(action, transport.endpoint, error);
}

/** The answer's bytes as a stream of the caller's, whose errors are HyperupErrors. Destroying it ends the request. */
export function answerStream(action: string, transport: Transport, response: IncomingMessage): Readable {
  const read = async function* () {
    try {
      yield* response;
    } catch (error) {
      throw streamError(action, transport, error);
    }
  };
  const stream = Readable.from(read(), { objectMode: false });
  // A stream that is destroyed before its first read never enters the generator.
  stream.once('close', () => response.destroy());
  return stream;
}

/** Reads an answer to its end with `use`, translating what goes wrong; the request is over when this settles. */
export async function consume<T>(
  action: string,
  transport: Transport,
  response: IncomingMessage,
  signals: readonly (AbortSignal | undefined)[],
  use: () => Promise<T>,
): Promise<T> {
  const onAbort = () => response.destroy();
  for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signals.some((signal) => signal?.aborted)) onAbort();
    const value = await use();
    // A destroyed stream may end like a whole one.
    for (const signal of signals) throwIfAborted(signal, action);
    return value;
  } catch (error) {
    throw streamError(action, transport, error, ...signals);
  } finally {
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
    response.destroy();
  }
}
