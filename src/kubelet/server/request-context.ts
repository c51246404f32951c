import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A connection that its client wants to use otherwise, with what was read of it already. */
export interface UpgradeOffer {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** One request on its way to an endpoint. */
export interface RequestContext {
  readonly request: IncomingMessage;
  readonly method: string;
  /** Of the path, decoded; none is empty, `.`, `..` or has a slash in it. */
  readonly segments: readonly string[];
  /** The path ended in a slash. */
  readonly trailingSlash: boolean;
  readonly query: URLSearchParams;
  /** The path's variable parts, by the route's names. */
  readonly params: Readonly<Record<string, string>>;
  /** Where the answer goes. An endpoint that takes over an upgrade leaves it alone. */
  readonly response: ServerResponse;
  /** Fires when the client has gone. */
  readonly signal: AbortSignal;
  /** Takes the connection over, after which the response is of no use. Undefined where the client asked for no upgrade. */
  readonly upgrade: (() => UpgradeOffer) | undefined;
}

export type Endpoint = (context: RequestContext) => Promise<void> | void;

/** `1` alone is true, as remote commands' parameters have it. */
export function flagOf(query: URLSearchParams, name: string): boolean {
  return query.get(name) === '1';
}

export function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8') {
  const body = Buffer.from(text);
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}

export function sendJson(response: ServerResponse, value: unknown): void {
  sendText(response, 200, JSON.stringify(value), 'application/json');
}
