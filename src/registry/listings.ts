import { HyperupError } from '../base/errors.js';
import { amount, listOf, mapOf, nullable, objectOf, readShape, type Shape, text } from '../base/json-shape.js';
import type { Caller } from './caller.js';
import { checkDigest, checkPath } from './check-names.js';
import { nextLink } from './link-header.js';
import { getManifest, readDocument } from './manifests.js';
import { indexType } from './media-types.js';
import { failureKindOf, registryError } from './registry-error.js';
import { repositoryScope } from './scopes.js';
import type { Descriptor, RequestOptions } from './types.js';

/** A registry whose pages never end has a fault. */
const maxPages = 1000;

const tagPage = objectOf({ tags: nullable(listOf(text)) });
const descriptor = objectOf(
  { mediaType: text, digest: text, size: amount },
  {
    platform: objectOf({ os: text, architecture: text }, { variant: text }),
    annotations: mapOf(text),
    artifactType: text,
    urls: listOf(text),
  },
);
const index = objectOf({ manifests: listOf(descriptor) });

/** See `RegistryClient.listTags`. */
export async function listTags(caller: Caller, path: string, options: RequestOptions = {}): Promise<readonly string[]> {
  checkPath(path);
  const action = `list the tags of ${path} at ${caller.host}`;
  const pages = await readPages(caller, path, `/v2/${path}/tags/list?n=1000`, action, tagPage, options, [200]);
  return pages?.flatMap((page) => page.tags ?? []) ?? [];
}

/** See `RegistryClient.listReferrers`. */
export async function listReferrers(
  caller: Caller,
  path: string,
  digest: string,
  options: RequestOptions = {},
): Promise<readonly Descriptor[]> {
  checkPath(path);
  checkDigest(digest);
  const action = `list the referrers of ${path}@${digest} at ${caller.host}`;
  const pages = await readPages(
    caller,
    path,
    `/v2/${path}/referrers/${digest}`,
    action,
    index,
    options,
    [200, 404, 400, 405],
  );
  if (pages !== undefined) return pages.flatMap((page) => page.manifests);
  try {
    const manifest = await getManifest(caller, path, digest.replace(':', '-').slice(0, 128), options);
    return readShape(index, parseJson(manifest.bytes)).value?.manifests ?? [];
  } catch (error) {
    if (failureKindOf(error) === 'notFound') return [];
    throw error;
  }
}

/** All pages; undefined where the registry has no such list. */
async function readPages<T>(
  caller: Caller,
  path: string,
  first: string,
  action: string,
  shape: Shape<T>,
  { signal }: RequestOptions,
  accept: readonly number[],
): Promise<readonly T[] | undefined> {
  const pages: T[] = [];
  let target: string | URL = first;
  for (let page = 0; page < maxPages; page += 1) {
    const answer = await caller.call({
      method: 'GET',
      target,
      action,
      scopes: [repositoryScope(path, 'pull')],
      headers: { accept: `application/json, ${indexType}` },
      accept,
      signal,
    });
    const bytes = await readDocument(caller, answer, action).catch((error: unknown) => {
      if (answer.status === 200) throw error;
      return Buffer.alloc(0);
    });
    if (answer.status !== 200) return undefined;
    const { value, fault } = readShape(shape, parseJson(bytes));
    if (fault !== undefined) {
      throw registryError('notRegistry', `${action}: its answer is not such a list`, {
        host: caller.host,
        status: answer.status,
      });
    }
    pages.push(value);
    const next = nextLink(answer.headers.get('link'), answer.url);
    if (next === undefined || next.href === answer.url.href) return pages;
    target = next;
  }
  throw new HyperupError('RegistryFailed', `${action}: more than ${maxPages} pages`, {
    details: { kind: 'notRegistry', host: caller.host },
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
