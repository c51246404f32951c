import type { Readable, Writable } from 'node:stream';
import type { V1Status } from '../../kube/objects.js';
import { HttpFault } from './http-fault.js';
import { flagOf, type RequestContext } from './request-context.js';

/** What a client of exec or attach wants to be connected. */
export interface StreamRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A client's ends of a remote command, whatever carries them. */
export interface RemoteStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** JSON objects `{"Width":80,"Height":24}` one after another. */
  readonly resize: Readable | undefined;
  /** Fires when the client has gone. */
  readonly closed: AbortSignal;
  /** Tells the outcome after all output, as the protocol does that, and ends the connection. */
  finish(status: V1Status): Promise<void>;
}

/** Throws an HttpFault 400 where nothing is asked for. With a terminal there is no stderr. */
export function streamRequestOf(query: URLSearchParams): StreamRequest {
  const tty = flagOf(query, 'tty');
  const request = {
    stdin: flagOf(query, 'input'),
    stdout: flagOf(query, 'output'),
    stderr: flagOf(query, 'error') && !tty,
    tty,
  };
  if (!request.stdin && !request.stdout && !request.stderr) {
    throw new HttpFault(400, 'you must specify at least 1 of stdin, stdout, stderr');
  }
  return request;
}

/** A WebSocket request, which upstream tells by these headers. */
export function isWebSocketRequest(context: RequestContext): boolean {
  const { headers } = context.request;
  return headers.upgrade?.toLowerCase() === 'websocket' && /(^|,\s*)upgrade($|\s*,)/i.test(headers.connection ?? '');
}
