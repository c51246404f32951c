import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { withoutServerName } from '../base/without-server-name.js';
import { addressAttemptMs, asError, connectOptions, limitConnecting, withCode } from './direct-connect.js';

/*
 * Short requests over plain HTTP by Node's own client, which the engine's client has loaded already or costs 2 ms to
 * load. undici costs 35 ms before its first answer (its parser is WebAssembly), as long as a small registry on the same
 * network takes for all that is asked of it; so it is loaded where TLS or a proxy wants it.
 */

export interface PlainRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly signal: AbortSignal;
  /** After how long without a byte the answer's body fails; a slow reader doesn't use it up. */
  readonly silenceMs: number;
}

export interface PlainResponse {
  readonly statusCode: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readable;
}

/** Connections to one origin, kept open between requests. Errors have undici's codes where Node has none. */
export interface PlainClient {
  /** Resolves when the answer's head is there. */
  request(request: PlainRequest): Promise<PlainResponse>;
  /** Ends its connections: what is under way fails with `UND_ERR_CLOSED`. */
  close(): void;
}

export interface PlainClientOptions {
  readonly connections: number;
  /** How long an idle connection is kept, milliseconds. */
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
}

export function createPlainClient({ connections, keepAliveMs, connectTimeoutMs }: PlainClientOptions): PlainClient {
  const agent = new Agent({
    ...withoutServerName,
    keepAlive: true,
    maxSockets: connections,
    maxFreeSockets: connections,
    timeout: keepAliveMs,
    noDelay: true,
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
  });
  let isClosed = false;
  return {
    request({ method, url, headers, body, signal, silenceMs }) {
      return new Promise((resolve, reject) => {
        const { host, port } = connectOptions(url);
        const path = url.pathname + url.search;
        const request = httpRequest({ agent, host, port, path, method, headers });
        let response: IncomingMessage | undefined;
        const onAbort = () => (response ?? request).destroy(asError(signal.reason));
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
        request.once('close', () => signal.removeEventListener('abort', onAbort));
        limitConnecting(request, connectTimeoutMs);
        request.on('error', (error) => reject(isClosed ? withCode('closed', 'UND_ERR_CLOSED') : error));
        // Of an answer that is none, such as an upgrade, Node says nothing else.
        request.once('close', () => reject(withCode('other side closed', 'UND_ERR_SOCKET')));
        request.once('response', (answer) => {
          response = answer;
          failWhenSilent(answer, silenceMs);
          resolve({ statusCode: answer.statusCode ?? 0, headers: answer.headers, body: answer });
        });
        request.end(body);
      });
    },
    close() {
      isClosed = true;
      agent.destroy();
    },
  };
}

function failWhenSilent(response: IncomingMessage, silenceMs: number): void {
  const { socket } = response;
  const onSilence = () => {
    // What waits for its reader keeps the socket from being read.
    if (response.readableLength > 0) socket.setTimeout(silenceMs);
    else response.destroy(withCode(`nothing for ${silenceMs} ms`, 'UND_ERR_BODY_TIMEOUT'));
  };
  socket.setTimeout(silenceMs);
  socket.on('timeout', onSilence);
  const leave = () => socket.off('timeout', onSilence);
  response.once('end', leave);
  response.once('close', leave);
  // It may fail before it has a reader.
  response.on('error', () => {});
}
