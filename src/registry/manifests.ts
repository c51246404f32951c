import { anything, listOf, objectOf, readShape, text } from '../base/json-shape.js';
import { isWebPage, webPageError } from './answer-failure.js';
import type { Caller } from './caller.js';
import { checkPath, checkTagOrDigest, isDigest } from './check-names.js';
import { digestOf } from './digest-of.js';
import type { Answer } from './exchange.js';
import { acceptManifests, indexType, manifestTypes } from './media-types.js';
import { drain, readBytesWithin } from './read-document.js';
import { failureKindOf, registryError } from './registry-error.js';
import { repositoryScope } from './scopes.js';
import type { Descriptor, ManifestContent, RequestOptions } from './types.js';

/** The distribution spec's limit for a manifest. */
export const maxManifestBytes = 4 * 1024 * 1024;

const typed = objectOf({}, { mediaType: text, manifests: listOf(anything) });

/** See `RegistryClient.getManifest`. */
export async function getManifest(
  caller: Caller,
  path: string,
  tagOrDigest: string,
  { signal }: RequestOptions = {},
): Promise<ManifestContent> {
  checkPath(path);
  checkTagOrDigest(tagOrDigest);
  const action = `get manifest ${nameOf(path, tagOrDigest)} from ${caller.host}`;
  const answer = await caller.call({
    method: 'GET',
    target: `/v2/${path}/manifests/${tagOrDigest}`,
    action,
    scopes: [repositoryScope(path, 'pull')],
    headers: { accept: acceptManifests },
    accept: [200],
    signal,
  });
  const bytes = await readDocument(caller, answer, action);
  const promised = answer.headers.get('docker-content-digest');
  const pinned = isDigest(tagOrDigest) ? tagOrDigest : undefined;
  const digest = digestOf(bytes, pinned);
  const check = (want: string, why: string) => {
    const got = digestOf(bytes, want);
    if (got === want) return;
    throw registryError('digest', `${action}: digest ${got}, want ${want} ${why}`, {
      host: caller.host,
      status: answer.status,
      hint: 'What came is not what was asked for: use another mirror.',
    });
  };
  if (pinned !== undefined) check(pinned, 'as asked for');
  if (promised !== undefined && isDigest(promised)) check(promised, 'as the registry says');
  return { mediaType: mediaTypeOf(answer, bytes, action, caller.host), digest, bytes };
}

/** See `RegistryClient.headManifest`. */
export async function headManifest(
  caller: Caller,
  path: string,
  tagOrDigest: string,
  options: RequestOptions = {},
): Promise<Descriptor | undefined> {
  checkPath(path);
  checkTagOrDigest(tagOrDigest);
  const answer = await caller.call({
    method: 'HEAD',
    target: `/v2/${path}/manifests/${tagOrDigest}`,
    action: `look for manifest ${nameOf(path, tagOrDigest)} at ${caller.host}`,
    scopes: [repositoryScope(path, 'pull')],
    headers: { accept: acceptManifests },
    accept: [200, 404, 405],
    signal: options.signal,
  });
  await drain(answer.body);
  if (answer.status === 404) return undefined;
  const digest = answer.headers.get('docker-content-digest');
  const size = Number(answer.headers.get('content-length') ?? 'none');
  const mediaType = plainType(answer);
  if (
    answer.status === 200 &&
    digest !== undefined &&
    isDigest(digest) &&
    size > 0 &&
    manifestTypes.includes(mediaType)
  ) {
    return { mediaType, digest, size };
  }
  try {
    const manifest = await getManifest(caller, path, tagOrDigest, options);
    return { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
  } catch (error) {
    if (failureKindOf(error) === 'notFound') return undefined;
    throw error;
  }
}

/** See `RegistryClient.putManifest`. `DigestMismatch` where the registry stored other bytes. */
export async function putManifest(
  caller: Caller,
  path: string,
  tagOrDigest: string,
  manifest: ManifestContent,
  { signal }: RequestOptions = {},
): Promise<void> {
  checkPath(path);
  checkTagOrDigest(tagOrDigest);
  const action = `put manifest ${nameOf(path, tagOrDigest)} to ${caller.host}`;
  const answer = await caller.call({
    method: 'PUT',
    target: `/v2/${path}/manifests/${tagOrDigest}`,
    action,
    scopes: [repositoryScope(path, 'pull,push')],
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
    accept: [201, 200, 202],
    signal,
  });
  await drain(answer.body);
  const stored = answer.headers.get('docker-content-digest');
  if (stored === undefined || !isDigest(stored) || stored === digestOf(manifest.bytes, stored)) return;
  throw registryError('digest', `${action}: it stored ${stored}, want ${manifest.digest}`, {
    host: caller.host,
    status: answer.status,
  });
}

/** A short answer's bytes; rejects where it is a web page. */
export async function readDocument(caller: Caller, answer: Answer, action: string): Promise<Buffer> {
  const { host, limits } = caller;
  const late = () => registryError('timeout', `${action}: its answer is too slow`, { host });
  const bytes = await readBytesWithin(answer.body, maxManifestBytes, 4 * limits.silenceMs, late);
  if (isWebPage(answer, bytes)) throw webPageError(answer, bytes, { host, action });
  return bytes;
}

/** The bytes know better than a header, which static mirrors get wrong. */
function mediaTypeOf(answer: Answer, bytes: Buffer, action: string, host: string): string {
  const header = plainType(answer);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw registryError('notRegistry', `${action}: its manifest is not JSON`, {
      host,
      status: answer.status,
    });
  }
  const { value, fault } = readShape(typed, json);
  if (fault !== undefined) {
    throw registryError('notRegistry', `${action}: its manifest is not a manifest`, {
      host,
      status: answer.status,
    });
  }
  const { mediaType, manifests } = value;
  if (mediaType !== undefined && mediaType !== '') return mediaType;
  if (header.endsWith('+json') || header.endsWith('+prettyjws')) return header;
  return manifests === undefined ? 'application/vnd.oci.image.manifest.v1+json' : indexType;
}

function plainType(answer: Answer): string {
  return (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function nameOf(path: string, tagOrDigest: string): string {
  return `${path}${isDigest(tagOrDigest) ? '@' : ':'}${tagOrDigest}`;
}
