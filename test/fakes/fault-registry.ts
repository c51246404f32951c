import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { makeTinyImage, manifestType, type TinyImage } from '../fixtures/registry-image.js';

/**
 * How a registry can fail:
 * - `refuses`: nothing listens on the port;
 * - `unavailable`: every answer is 503;
 * - `hangs`: takes the connection and never answers;
 * - `wrong-digest`: the manifest is not the one that its digest header names;
 * - `bad-blob`: the layer is not what its digest says;
 * - `stuck-blob`: the manifest comes, half of the layer comes, then nothing;
 * - `web-page`: a login page to every request, as hotel networks do;
 * - `login`: wants a user name;
 * - `empty`: a registry without images;
 * - `sends-elsewhere`: redirects to another host for every manifest, as registry.k8s.io does.
 */
export type RegistryFault =
  | 'refuses'
  | 'unavailable'
  | 'hangs'
  | 'wrong-digest'
  | 'bad-blob'
  | 'stuck-blob'
  | 'web-page'
  | 'login'
  | 'empty'
  | 'sends-elsewhere';

export interface FaultRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `METHOD PATH` of each request, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts a registry on 127.0.0.1 that fails in one way. Where it serves images at all, it has one under every name.
 * `elsewhere` is the `HOST:PORT` that `sends-elsewhere` names.
 */
export async function startFaultRegistry(
  fault: RegistryFault,
  elsewhere = 'elsewhere.invalid',
): Promise<FaultRegistry> {
  const image = await makeTinyImage(`served by a registry that fails: ${fault}`);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(fault, elsewhere, image, request, response);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const close = () =>
    new Promise<void>((resolve) => {
      // Closed already: the callback gets an error, which says no more than that.
      server.close(() => resolve());
      server.closeAllConnections();
    });
  if (fault === 'refuses') await close();
  return { host: `127.0.0.1:${port}`, requests, close };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Send only half of the body, then nothing more. */
  readonly half?: boolean;
}

function answer(
  fault: RegistryFault,
  elsewhere: string,
  image: TinyImage,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault === 'hangs') return;
  const { status, type, body, headers = {}, half } = replyTo(fault, elsewhere, image, request.url ?? '/');
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers });
  if (half) response.write(bytes.subarray(0, bytes.length / 2));
  else response.end(bytes);
}

function replyTo(fault: RegistryFault, elsewhere: string, image: TinyImage, url: string): Reply {
  switch (fault) {
    case 'unavailable':
      return { status: 503, type: 'text/plain', body: 'no server is available to handle this request' };
    case 'web-page':
      return { status: 200, type: 'text/html', body: '<!doctype html><title>Hotel login</title><form></form>' };
    case 'login':
      return {
        ...jsonError(401, 'UNAUTHORIZED', 'authentication required'),
        headers: { 'www-authenticate': 'Basic realm="private"' },
      };
    default:
  }
  if (url === '/v2/') return { status: 200, type: 'application/json', body: '{}' };
  if (fault === 'sends-elsewhere') {
    return { status: 307, type: 'text/plain', body: '', headers: { location: `http://${elsewhere}${url}` } };
  }
  if (fault !== 'empty' && url.includes('/manifests/')) {
    const digest = fault === 'wrong-digest' ? `sha256:${'0'.repeat(64)}` : image.manifest.digest;
    const headers = { 'docker-content-digest': digest };
    return { status: 200, type: manifestType, body: image.manifest.bytes, headers };
  }
  if (url.endsWith(image.config.digest)) return blob(image.config.bytes);
  if (url.endsWith(image.layer.digest)) {
    const bytes = fault === 'bad-blob' ? otherTimeStamp(image.layer.bytes) : image.layer.bytes;
    return { ...blob(bytes), half: fault === 'stuck-blob' };
  }
  return jsonError(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
}

/** In the gzip header: what is unpacked stays the same, the digest does not. */
function otherTimeStamp(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(255 - changed.readUInt8(4), 4);
  return changed;
}

function blob(body: Buffer): Reply {
  return { status: 200, type: 'application/octet-stream', body };
}

function jsonError(status: number, code: string, message: string): Reply {
  return { status, type: 'application/json', body: JSON.stringify({ errors: [{ code, message }] }) };
}
