import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { release } from '../base/block-pool.js';
import { connectOptions } from './direct-connect.js';
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

const writesAtOnce = 2;

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
  request.on('socket', (socket) => {
    const late = () => {
      request.destroy(Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' }));
    };
    const timer = setTimeout(late, connectTimeoutMs);
    socket.once('connect', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  });
  let answered = false;
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', (response) => {
      answered = true;
      resolve(response);
      body.destroy();
    });
    request.on('error', reject);
    // Where the answer came first, what becomes of the rest is of no interest.
    request.once('close', () => reject(Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' })));
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
  const silent = createWatchdog(silenceMs, () =>
    response.destroy(Object.assign(new Error('silent'), { code: 'UND_ERR_BODY_TIMEOUT' })),
  );
  // It may fail before it has a reader.
  response.on('error', () => {});
  response.once('close', () => {
    silent.stop();
    request.destroy();
  });
  return { statusCode: response.statusCode ?? 0, headers: response.headers, body: response };
}

async function send(request: ClientRequest, body: Readable, watchdog: Watchdog): Promise<void> {
  const underWay: Promise<void>[] = [];
  watchdog.pause();
  for await (const chunk of body) {
    watchdog.resume();
    underWay.push(written(request, chunk as Buffer));
    // The kernel never runs out of what to send while the next chunk is fetched.
    if (underWay.length === writesAtOnce) await underWay.shift();
    watchdog.pause();
  }
  watchdog.resume();
  await Promise.all(underWay);
  request.end();
}

/** Resolves when the kernel has all of it; the chunk is released then. */
function written(request: ClientRequest, chunk: Buffer): Promise<void> {
  const work = new Promise<void>((resolve, reject) => {
    request.write(chunk, (error) => {
      if (error) {
        reject(error);
        return;
      }
      release(chunk);
      resolve();
    });
  });
  // Several are waited for one after the other.
  work.catch(() => {});
  return work;
}
