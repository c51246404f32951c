import type { IncomingMessage, ServerResponse } from 'node:http';

export interface FaultyRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** How many of this method and path there were, this one included. */
  readonly count: number;
}

/**
 * What goes wrong:
 * - `status`: that status, with headers such as `retry-after`; the body is an error in the registry's form;
 * - `page`: an HTML page of that title, as networks answer that want a login;
 * - `redirect`: to that URL;
 * - `hang`: the request is read, no answer ever comes;
 * - `reset`: the connection is broken off before the answer;
 * - `cut`: it is broken off after so many bytes of the answer's body (or of the request's, with `of: 'request'`);
 * - `stall`: nothing more comes after so many bytes of the answer's body;
 * - `flip`: the byte at that place of the answer's body is another one;
 * - `headers`: these are added or replaced in the answer.
 */
export type RegistryFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>> | undefined;
      readonly message?: string | undefined;
    }
  | { readonly kind: 'page'; readonly title: string; readonly status?: number | undefined }
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number | undefined }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'cut'; readonly afterBytes: number; readonly of?: 'request' | undefined }
  | { readonly kind: 'stall'; readonly afterBytes: number }
  | { readonly kind: 'flip'; readonly at: number }
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> };

/** True where the fault is the whole answer; false where it is to happen to the body of the right one. */
export function playFault(fault: RegistryFault, request: IncomingMessage, response: ServerResponse): boolean {
  switch (fault.kind) {
    case 'status':
      request.resume();
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(JSON.stringify({ errors: [{ code: 'FAULT', message: fault.message ?? 'as the test wants it' }] }));
      return true;
    case 'page':
      request.resume();
      response.writeHead(fault.status ?? 200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><html><head><title>${fault.title}</title></head><body>Log in</body></html>`);
      return true;
    case 'redirect':
      request.resume();
      response.writeHead(fault.status ?? 307, { location: fault.to });
      response.end();
      return true;
    case 'hang':
      request.resume();
      return true;
    case 'reset':
      request.socket.destroy();
      return true;
    case 'cut': {
      if (fault.of !== 'request') return false;
      let got = 0;
      request.on('data', (chunk: Buffer) => {
        got += chunk.length;
        if (got >= fault.afterBytes) request.socket.destroy();
      });
      return true;
    }
    default:
      return false;
  }
}

/** Sends the right answer's body, with what is to happen to it. */
export function sendBody(response: ServerResponse, bytes: Buffer, fault: RegistryFault | undefined): void {
  switch (fault?.kind) {
    case 'cut':
      response.write(bytes.subarray(0, fault.afterBytes), () => response.socket?.destroy());
      return;
    case 'stall':
      response.write(bytes.subarray(0, fault.afterBytes));
      return;
    case 'flip': {
      const changed = Buffer.from(bytes);
      if (fault.at < changed.length) changed.writeUInt8(changed.readUInt8(fault.at) ^ 1, fault.at);
      response.end(changed);
      return;
    }
    default:
      response.end(bytes);
  }
}
