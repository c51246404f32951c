import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { release } from '../base/block-pool.js';
import { connectOptions, limitConnecting, withCode } from './direct-connect.js';
import { createWatchdog, type Watchdog } from './watched-body.js';

/*
 * A long body sent over plain HTTP. undici doesn't say when the kernel has taken a chunk; Node's own client does, so
 * the block that the chunk lies in (`base/block-pool`) can be used again.
 */

export interface DirectUpload {
  readonly method: string;
  readonly url: URL;
  /** With the body's `content-length`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its chunks become this function's: lent ones are released. */
  readonly body: Readable;
  readonly signal: AbortSignal;
  readonly connectTimeoutMs: number;
  /** Sleeps while the body's source is slow. */
  readonly watchdog: Watchdog;
  /** After how long without a byte the answer's body fails. */
  readonly silenceMs: number;
}

/**
 * Sends and resolves with the answer, which may come before all is sent: the rest stays unsent then. Rejects with what
 * the body or the network fails with. Its connection serves one request.
 */
export async function directSend(upload: DirectUpload): Promise<{
  readonly statusCode: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readable;
}> {
  const { method, url, headers, body, signal, connectTimeoutMs, watchdog, silenceMs } = upload;
  const request = httpRequest(url, { method, headers, signal, createConnection: () => connect(connectOptions(url)) });
  limitConnecting(request, connectTimeoutMs);
  let answered = false;
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', (response) => {
      answered = true;
      resolve(response);
      body.destroy();
    });
    request.on('error', reject);
    // Where the answer came first, what becomes of the rest is of no interest.
    request.once('close', () => reject(withCode('other side closed', 'UND_ERR_SOCKET')));
  });
  const sent = send(request, body, watchdog).catch((error: unknown) => {
    if (answered) return;
    request.destroy();
    throw error;
  });
  const [response] = await Promise.all([answer, Promise.race([sent, answer])]).catch((error: unknown) => {
    request.destroy();
    throw error;
  });
  const silent = createWatchdog(silenceMs, () => response.destroy(withCode('silent', 'UND_ERR_BODY_TIMEOUT')));
  // It may fail before it has a reader.
  response.on('error', () => {});
  response.once('close', () => {
    silent.stop();
    request.destroy();
  });
  return { statusCode: response.statusCode ?? 0, headers: response.headers, body: response };
}

async function send(request: ClientRequest, body: Readable, watchdog: Watchdog): Promise<void> {
  watchdog.pause();
  for await (const chunk of body) {
    watchdog.resume();
    await written(request, chunk as Buffer);
    release(chunk as Buffer);
    watchdog.pause();
  }
  watchdog.resume();
  request.end();
}

/** Resolves when the kernel has all of it. */
function written(request: ClientRequest, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    request.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
