import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { digestOf } from '../../src/registry/digest-of.js';
import type { FakeRegistryOptions } from './fake-registry.js';
import { type RegistryFault, sendBody } from './fake-registry-faults.js';

export interface StoredManifest {
  readonly type: string;
  readonly bytes: Buffer;
}

/** What a fake registry holds; tests may look at it and change it. */
export interface RegistryContent {
  /** By digest. */
  readonly blobs: Map<string, Buffer>;
  /** By `PATH:TAG` and `PATH@DIGEST`. */
  readonly manifests: Map<string, StoredManifest>;
  /** By id, what has come so far. */
  readonly uploads: Map<string, Buffer>;
}

interface Setting {
  readonly content: RegistryContent;
  readonly options: FakeRegistryOptions;
  readonly origin: string;
}

interface Exchange extends Setting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly fault: RegistryFault | undefined;
}

export function answerRequest(
  setting: Setting,
  request: IncomingMessage,
  response: ServerResponse,
  fault: RegistryFault | undefined,
): void {
  const url = new URL(request.url ?? '/', setting.origin);
  const exchange: Exchange = { ...setting, request, response, url, fault };
  const [, path = '', kind, rest = ''] =
    /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(url.pathname) ?? [];
  if (url.pathname === '/v2/') send(exchange, 200, { 'content-type': 'application/json' }, Buffer.from('{}'));
  else if (kind === 'manifests') void manifest(exchange, path, rest);
  else if (kind === 'blobs' && rest.startsWith('uploads/')) void upload(exchange, path, rest.slice('uploads/'.length));
  else if (kind === 'blobs') blob(exchange, rest);
  else if (kind === 'tags') tags(exchange, path);
  else if (kind === 'referrers' && !setting.options.withoutReferrers) referrers(exchange, path, rest);
  else refuse(exchange, 404, 'NOT_FOUND', 'page not found');
}

async function manifest(exchange: Exchange, path: string, name: string): Promise<void> {
  const { content, request } = exchange;
  if (request.method === 'PUT') {
    const bytes = await buffer(request).catch(() => undefined);
    if (bytes === undefined) return;
    const digest = digestOf(bytes);
    const stored = { type: request.headers['content-type'] ?? '', bytes };
    content.manifests.set(`${path}@${digest}`, stored);
    if (!name.includes(':')) content.manifests.set(`${path}:${name}`, stored);
    send(exchange, 201, { 'docker-content-digest': digest, location: `/v2/${path}/manifests/${digest}` });
    return;
  }
  const stored = content.manifests.get(name.includes(':') ? `${path}@${name}` : `${path}:${name}`);
  if (stored === undefined) refuse(exchange, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  else
    send(exchange, 200, { 'content-type': stored.type, 'docker-content-digest': digestOf(stored.bytes) }, stored.bytes);
}

function blob(exchange: Exchange, digest: string): void {
  const { content, options, request, url } = exchange;
  const bytes = content.blobs.get(digest);
  if (options.redirectsBlobsTo !== undefined) {
    send(exchange, 307, { location: `${options.redirectsBlobsTo}${url.pathname}` });
    return;
  }
  if (bytes === undefined) {
    refuse(exchange, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    return;
  }
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined || options.ignoresRanges) {
    send(exchange, 200, headers, bytes);
    return;
  }
  const start = Number(from);
  if (start >= bytes.length) {
    send(exchange, 416, { 'content-range': `bytes */${bytes.length}` });
    return;
  }
  const end = Math.min(to ? Number(to) : bytes.length - 1, bytes.length - 1);
  const range = { 'content-range': `bytes ${start}-${end}/${bytes.length}` };
  send(exchange, 206, { ...headers, ...range }, bytes.subarray(start, end + 1));
}

async function upload(exchange: Exchange, path: string, id: string): Promise<void> {
  const { content, options, origin, request, url } = exchange;
  const where = (upload: string) => `${options.relativeLocations ? '' : origin}/v2/${path}/blobs/uploads/${upload}`;
  if (request.method === 'POST') {
    request.resume();
    const mount = url.searchParams.get('mount');
    if (mount !== null && content.blobs.has(mount) && !options.withoutMounts) {
      send(exchange, 201, { location: `/v2/${path}/blobs/${mount}`, 'docker-content-digest': mount });
      return;
    }
    const made = randomUUID();
    content.uploads.set(made, Buffer.alloc(0));
    send(exchange, 202, { location: where(made), range: '0-0' });
    return;
  }
  const before = content.uploads.get(id);
  if (before === undefined) {
    request.resume();
    refuse(exchange, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    return;
  }
  if (request.method === 'DELETE') {
    content.uploads.delete(id);
    send(exchange, 204, {});
    return;
  }
  if (request.method === 'GET') {
    send(exchange, 204, { location: where(id), range: `0-${Math.max(0, before.length - 1)}` });
    return;
  }
  const start = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1];
  if (start !== undefined && Number(start) !== before.length) {
    request.resume();
    send(exchange, 416, { location: where(id), range: `0-${Math.max(0, before.length - 1)}` });
    return;
  }
  const parts = [before];
  try {
    for await (const chunk of request) parts.push(chunk as Buffer);
  } catch {
    // Cut off: what has come is kept.
    content.uploads.set(id, Buffer.concat(parts));
    return;
  }
  const bytes = Buffer.concat(parts);
  content.uploads.set(id, bytes);
  if (request.method === 'PATCH') {
    send(exchange, 202, { location: where(id), range: `0-${Math.max(0, bytes.length - 1)}` });
    return;
  }
  const digest = url.searchParams.get('digest') ?? '';
  if (digestOf(bytes, digest) !== digest) {
    refuse(exchange, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
    return;
  }
  content.uploads.delete(id);
  content.blobs.set(digest, bytes);
  send(exchange, 201, { location: `/v2/${path}/blobs/${digest}`, 'docker-content-digest': digest });
}

function tags(exchange: Exchange, path: string): void {
  const { content, options, url } = exchange;
  const all = [...content.manifests.keys()]
    .filter((key) => key.startsWith(`${path}:`))
    .map((key) => key.slice(path.length + 1));
  const size = Math.min(Number(url.searchParams.get('n') ?? all.length), options.pageSize ?? all.length);
  const last = url.searchParams.get('last');
  const rest = all.sort().filter((tag) => last === null || tag > last);
  const page = rest.slice(0, size);
  const more = rest.length > page.length && {
    link: `</v2/${path}/tags/list?n=${size}&last=${page.at(-1)}>; rel="next"`,
  };
  const body = Buffer.from(JSON.stringify({ name: path, tags: page }));
  send(exchange, 200, { 'content-type': 'application/json', ...more }, body);
}

function referrers(exchange: Exchange, path: string, digest: string): void {
  const manifests = [...exchange.content.manifests].flatMap(([key, { type, bytes }]) => {
    const parsed = JSON.parse(bytes.toString('utf8')) as { subject?: { digest?: string }; artifactType?: string };
    if (!key.startsWith(`${path}@`) || parsed.subject?.digest !== digest) return [];
    return [{ mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType: parsed.artifactType }];
  });
  const type = 'application/vnd.oci.image.index.v1+json';
  send(
    exchange,
    200,
    { 'content-type': type },
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests })),
  );
}

function refuse(exchange: Exchange, status: number, code: string, message: string): void {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message }] }));
  send(exchange, status, { 'content-type': 'application/json' }, body);
}

function send(
  exchange: Exchange,
  status: number,
  headers: Record<string, string>,
  body: Buffer = Buffer.alloc(0),
): void {
  const { request, response, fault } = exchange;
  const added = fault?.kind === 'headers' ? fault.headers : {};
  const length = status === 204 ? {} : { 'content-length': body.length };
  response.writeHead(status, { ...headers, ...length, ...added });
  if (request.method === 'HEAD') response.end();
  else sendBody(response, body, fault);
}
