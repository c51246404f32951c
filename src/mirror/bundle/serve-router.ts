import { parseReference } from '../../registry/reference.js';
import { mediaTypes } from '../content/media-types.js';
import type { BundledImage } from './bundle-format.js';

/** What a bundle offers as a registry, by repository. Pure data. */
export interface Catalogue {
  /** Repository paths to their tags and blobs. */
  readonly repositories: ReadonlyMap<string, Repository>;
}

interface Repository {
  readonly tags: ReadonlyMap<string, BundledImage>;
  /** By the registry that they come from, for clients that say which one they mean (`?ns=`). */
  readonly byDomain: ReadonlyMap<string, ReadonlyMap<string, BundledImage>>;
  readonly manifests: ReadonlyMap<string, BundledImage>;
  readonly blobs: ReadonlyMap<string, number>;
}

/** What to answer; bodies that lie in the bundle are named, not held. */
export type Answer =
  | { readonly status: number; readonly headers: Headers; readonly body: string }
  | { readonly status: number; readonly headers: Headers; readonly document: string }
  | {
      readonly status: number;
      readonly headers: Headers;
      readonly blob: { readonly digest: string; readonly start: number; readonly length: number };
    };
type Headers = Readonly<Record<string, string>>;

export interface Question {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly range: string | undefined;
}

/**
 * Each image stands under its path (`etcd`, `library/nginx`) and under its registry and path (`k8s.gcr.io/etcd`), as
 * `--mirror HOST` and `--mirror HOST/{domain}/{path}` ask for it. Where two registries have one path, the first image of
 * the bundle has the short name; both have the long one.
 */
export function makeCatalogue(images: readonly BundledImage[]): Catalogue {
  const repositories = new Map<
    string,
    {
      readonly tags: Map<string, BundledImage>;
      readonly byDomain: Map<string, Map<string, BundledImage>>;
      readonly manifests: Map<string, BundledImage>;
      readonly blobs: Map<string, number>;
    }
  >();
  for (const image of images) {
    const { domain, path, tag = 'latest' } = parseReference(image.reference);
    for (const name of [path, `${domain}/${path}`]) {
      const repository = repositories.get(name) ?? {
        tags: new Map(),
        byDomain: new Map(),
        manifests: new Map(),
        blobs: new Map(),
      };
      repositories.set(name, repository);
      if (!repository.tags.has(tag)) repository.tags.set(tag, image);
      const ofDomain = repository.byDomain.get(domain) ?? new Map<string, BundledImage>();
      repository.byDomain.set(domain, ofDomain.set(tag, image));
      repository.manifests.set(image.manifest.digest, image);
      for (const { digest, size } of [image.config, ...image.layers]) repository.blobs.set(digest, size);
    }
  }
  return { repositories };
}

const namePattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const route = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/;

/** The read half of the OCI distribution specification 1.1, and 405 for the rest of it. Pure. */
export function routeQuestion({ repositories }: Catalogue, { method, url, range }: Question): Answer {
  if (method !== 'GET' && method !== 'HEAD') {
    return fault(405, 'UNSUPPORTED', 'this registry is read-only', { allow: 'GET, HEAD' });
  }
  const [path = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  if (path === '/v2' || path === '/v2/') return json({});
  if (path === '/v2/_catalog') return json({ repositories: page([...repositories.keys()].toSorted(), parameters) });
  const tagsOf = /^\/v2\/(.+)\/tags\/list$/.exec(path)?.[1];
  const [, name = tagsOf, kind = 'tags', last = ''] = route.exec(path) ?? [];
  if (name === undefined) return fault(404, 'NOT_FOUND', 'there is nothing here');
  // Anything escaped, any dots and slashes that lead elsewhere: no name of ours has them.
  if (!namePattern.test(name)) return fault(400, 'NAME_INVALID', 'that is no name of a repository');
  const repository = repositories.get(name);
  if (repository === undefined) return fault(404, 'NAME_UNKNOWN', `there is no repository ${name}`);
  switch (kind) {
    case 'tags':
      return json({ name, tags: page([...repository.tags.keys()].toSorted(), parameters) });
    case 'manifests':
      return manifestAnswer(repository, last, parameters.get('ns') ?? undefined);
    case 'blobs':
      return blobAnswer(repository, last, range);
    default:
      return json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }, mediaTypes.ociIndex);
  }
}

function manifestAnswer(repository: Repository, last: string, domain: string | undefined): Answer {
  const ofDomain = domain === undefined ? undefined : repository.byDomain.get(domain);
  const image = repository.manifests.get(last) ?? (ofDomain ?? repository.tags).get(last);
  if (image === undefined) return fault(404, 'MANIFEST_UNKNOWN', 'there is no such manifest');
  const { mediaType, digest, size } = image.manifest;
  const headers = { 'content-type': mediaType, 'content-length': String(size), ...named(digest) };
  return { status: 200, headers, document: digest };
}

function blobAnswer(repository: Repository, digest: string, range: string | undefined): Answer {
  const size = repository.blobs.get(digest);
  if (size === undefined) return fault(404, 'BLOB_UNKNOWN', 'there is no such blob');
  const common = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', ...named(digest) };
  const part = range === undefined ? undefined : parseRange(range, size);
  if (part === 'beyond') {
    return fault(416, 'RANGE_INVALID', `the blob has ${size} bytes`, { 'content-range': `bytes */${size}` });
  }
  if (part === undefined) {
    const headers = { ...common, 'content-length': String(size) };
    return { status: 200, headers, blob: { digest, start: 0, length: size } };
  }
  const { start, length } = part;
  const headers = {
    ...common,
    'content-length': String(length),
    'content-range': `bytes ${start}-${start + length - 1}/${size}`,
  };
  return { status: 206, headers, blob: { digest, start, length } };
}

/** One range of bytes (RFC 9110, 14.1.2); undefined for what is answered whole: several ranges, and what is malformed. */
export function parseRange(
  header: string,
  size: number,
): { readonly start: number; readonly length: number } | 'beyond' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  const [, from = '', to = ''] = match ?? [];
  if (match === null || (from === '' && to === '')) return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'beyond' : { start: size - length, length };
  }
  const start = Number(from);
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < start) return undefined;
  return start >= size ? 'beyond' : { start, length: end - start + 1 };
}

/** `n` and `last` of the specification; without them everything. */
function page(names: readonly string[], parameters: URLSearchParams): readonly string[] {
  const last = parameters.get('last');
  const rest = last === null ? names : names.filter((name) => name > last);
  const count = parameters.get('n');
  return count !== null && /^\d{1,9}$/.test(count) ? rest.slice(0, Number(count)) : rest;
}

const named = (digest: string) => ({ 'docker-content-digest': digest, etag: `"${digest}"` });

function json(value: object, type = 'application/json'): Answer {
  const body = JSON.stringify(value);
  return { status: 200, headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) }, body };
}

function fault(status: number, code: string, message: string, headers: Headers = {}): Answer {
  const { headers: plain, ...answer } = json({ errors: [{ code, message }] });
  return { ...answer, status, headers: { ...plain, ...headers } };
}
