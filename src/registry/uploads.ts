import type { Readable } from 'node:stream';
import { type HyperupError, isHyperupError } from '../base/errors.js';
import { headBlob } from './blobs.js';
import type { Call, Caller } from './caller.js';
import { checkDigest, checkPath } from './check-names.js';
import { parseUploadRange } from './content-range.js';
import type { Answer } from './exchange.js';
import { drain } from './read-document.js';
import { failureKindOf, registryError } from './registry-error.js';
import { repositoryScope } from './scopes.js';
import type { BlobUpload, RequestOptions } from './types.js';

/** A registry reads what it has got again to check its digest. */
const finishFactor = 10;
const cancelMs = 10_000;

/** See `RegistryClient.startUpload`. */
export async function startUpload(
  caller: Caller,
  path: string,
  mount: { readonly from: string; readonly digest: string } | undefined,
  { signal }: RequestOptions = {},
): Promise<BlobUpload | 'mounted'> {
  checkPath(path);
  if (mount !== undefined) {
    checkPath(mount.from);
    checkDigest(mount.digest);
  }
  const scopes = [repositoryScope(path, 'pull,push'), ...(mount ? [repositoryScope(mount.from, 'pull')] : [])];
  const query = mount === undefined ? '' : `?${new URLSearchParams({ mount: mount.digest, from: mount.from })}`;
  const action = `begin an upload to ${caller.host}/${path}`;
  const answer = await caller.call({
    method: 'POST',
    target: `/v2/${path}/blobs/uploads/${query}`,
    action,
    scopes,
    body: Buffer.alloc(0),
    accept: mount === undefined ? [202] : [201, 202],
    signal,
  });
  await drain(answer.body);
  if (answer.status === 201) return 'mounted';
  return openUpload(caller, path, locationOf(caller, answer, action), 0);
}

/** See `RegistryClient.resumeUpload`. */
export async function resumeUpload(
  caller: Caller,
  location: string,
  { signal }: RequestOptions = {},
): Promise<BlobUpload | undefined> {
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const path = /^\/v2\/(.+)\/blobs\/uploads\//.exec(url?.pathname ?? '')?.[1];
  if (url === undefined || path === undefined || url.origin !== (await caller.origin(signal)).origin) return undefined;
  const status = await uploadStatus(caller, path, url, signal);
  return status && openUpload(caller, path, status.url, status.offset);
}

async function uploadStatus(
  caller: Caller,
  path: string,
  url: URL,
  signal: AbortSignal | undefined,
): Promise<{ readonly url: URL; readonly offset: number } | undefined> {
  const action = `ask for an upload to ${caller.host}/${path}`;
  const answer = await caller.call({
    method: 'GET',
    target: url,
    action,
    scopes: [repositoryScope(path, 'pull,push')],
    accept: [204, 202, 200, 404, 400, 410],
    signal,
  });
  await drain(answer.body);
  if (answer.status >= 400) return undefined;
  const offset = parseUploadRange(answer.headers.get('range'));
  if (offset === undefined) return undefined;
  return { url: answer.headers.has('location') ? locationOf(caller, answer, action) : url, offset };
}

function openUpload(caller: Caller, path: string, begun: URL, from: number): BlobUpload {
  let url = begun;
  let offset = from;
  const scopes = [repositoryScope(path, 'pull,push')];
  const call = async (
    parts: Pick<Call, 'method' | 'target' | 'action' | 'headers' | 'body' | 'once' | 'accept' | 'signal' | 'answerMs'>,
  ) => {
    const answer = await caller.call({ ...parts, scopes });
    await drain(answer.body);
    return answer;
  };

  /** What the registry has after a request that failed; nothing where it doesn't say. */
  const look = async (signal: AbortSignal | undefined) => {
    if (signal?.aborted) return;
    const status = await uploadStatus(caller, path, url, signal).catch(() => undefined);
    if (status !== undefined) ({ url, offset } = status);
  };

  return {
    get location() {
      return url.href;
    },
    get offset() {
      return offset;
    },
    async append(body: Readable, length: number, { signal }: RequestOptions = {}) {
      const action = `send bytes ${offset} to ${offset + length} of an upload to ${caller.host}/${path}`;
      try {
        const answer = await call({
          method: 'PATCH',
          target: url,
          action,
          headers: {
            'content-type': 'application/octet-stream',
            'content-length': String(length),
            'content-range': `${offset}-${offset + length - 1}`,
          },
          body,
          accept: [202, 204, 201],
          signal,
        });
        url = answer.headers.has('location') ? locationOf(caller, answer, action) : url;
        const has = parseUploadRange(answer.headers.get('range')) ?? offset + length;
        const want = offset + length;
        offset = has;
        if (has !== want) {
          throw registryError('broken', `${action}: it has ${has} bytes, want ${want}`, {
            host: caller.host,
          });
        }
      } catch (error) {
        body.destroy();
        await look(signal);
        throw error;
      }
    },
    async finish(digest, { signal, rest } = {}) {
      checkDigest(digest);
      const target = new URL(url);
      target.searchParams.set('digest', digest);
      const action = `finish the upload of ${digest} to ${caller.host}/${path}`;
      const answer = await call({
        method: 'PUT',
        target,
        action,
        headers: { 'content-type': 'application/octet-stream' },
        body: rest ?? Buffer.alloc(0),
        once: rest !== undefined,
        accept: [201, 204],
        signal,
        answerMs: finishFactor * caller.limits.silenceMs,
      }).catch(async (error: unknown) => {
        if (isDigestRefusal(error)) {
          throw registryError('digest', error.message, { host: caller.host, status: 400, cause: error });
        }
        // Done by a try whose answer was lost, the session is no more.
        const isGone = failureKindOf(error) === 'notFound';
        if (isGone && (await headBlob(caller, path, digest, { signal }).catch(() => undefined)) !== undefined) return;
        throw error;
      });
      if (answer === undefined) return;
      const stored = answer.headers.get('docker-content-digest');
      if (stored === undefined || stored === digest || stored.split(':')[0] !== digest.split(':')[0]) return;
      throw registryError('digest', `${action}: it stored ${stored}`, { host: caller.host });
    },
    async cancel() {
      const signal = AbortSignal.timeout(cancelMs);
      await call({
        method: 'DELETE',
        target: url,
        action: `cancel an upload to ${caller.host}/${path}`,
        accept: [204, 202, 200, 404],
        signal,
      }).catch(() => {});
    },
  };
}

/** True where the registry says that what it got isn't that digest's. */
function isDigestRefusal(error: unknown): error is HyperupError {
  return isHyperupError(error) && error.details['said'] === 'DIGEST_INVALID';
}

/** Relative ones too. Anything may be there: registries hand uploads to storage of another host. */
function locationOf(caller: Caller, answer: Answer, action: string): URL {
  const location = answer.headers.get('location') ?? '';
  const url = location !== '' && URL.canParse(location, answer.url.href) ? new URL(location, answer.url) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw registryError('notRegistry', `${action}: its answer has no Location`, {
    host: caller.host,
    status: answer.status,
  });
}
