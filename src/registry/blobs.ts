import type { Caller } from './caller.js';
import { checkDigest, checkPath } from './check-names.js';
import { parseContentRange } from './content-range.js';
import type { Answer } from './exchange.js';
import { drain } from './read-document.js';
import { failureKindOf, registryError } from './registry-error.js';
import { repositoryScope } from './scopes.js';
import type { BlobStream, ByteRange, RequestOptions } from './types.js';

/** See `RegistryClient.getBlob`. The body is the connection's own, so that every byte is handed on once. */
export async function getBlob(
  caller: Caller,
  path: string,
  digest: string,
  range?: ByteRange | undefined,
  { signal }: RequestOptions = {},
): Promise<BlobStream> {
  checkPath(path);
  checkDigest(digest);
  const action = `get blob ${path}@${digest} from ${caller.host}`;
  const answer = await caller.call({
    method: 'GET',
    target: `/v2/${path}/blobs/${digest}`,
    action,
    scopes: [repositoryScope(path, 'pull')],
    ...(range === undefined ? {} : { headers: { range: rangeHeader(range) } }),
    accept: range === undefined ? [200] : [200, 206],
    signal,
    expectedBytes: range?.length,
  });
  const { body } = answer;
  const servedBy = answer.url.host;
  if (answer.status === 200) return { start: 0, totalSize: lengthOf(answer), body, servedBy };
  const got = parseContentRange(answer.headers.get('content-range'));
  const length = lengthOf(answer);
  const fault = rangeFault(got?.part, length, range);
  if (fault !== undefined) {
    body.destroy();
    throw registryError('broken', `${action}: ${servedBy} answered with ${fault}`, {
      host: caller.host,
      status: answer.status,
    });
  }
  return { start: got?.part?.start ?? 0, totalSize: got?.total, body, servedBy };
}

/** See `RegistryClient.headBlob`. */
export async function headBlob(
  caller: Caller,
  path: string,
  digest: string,
  options: RequestOptions = {},
): Promise<{ readonly size: number } | undefined> {
  checkPath(path);
  checkDigest(digest);
  const action = `look for blob ${path}@${digest} at ${caller.host}`;
  const answer = await caller.call({
    method: 'HEAD',
    target: `/v2/${path}/blobs/${digest}`,
    action,
    scopes: [repositoryScope(path, 'pull')],
    // Storage behind a redirect may have signed a URL for GET alone.
    accept: [200, 403, 404, 405],
    signal: options.signal,
  });
  await drain(answer.body);
  if (answer.status === 404) return undefined;
  const size = lengthOf(answer);
  if (answer.status === 200 && size !== undefined) return { size };
  try {
    const stream = await getBlob(caller, path, digest, { start: 0, length: 1 }, options);
    stream.body.destroy();
    if (stream.totalSize !== undefined) return { size: stream.totalSize };
    throw registryError('status', `${action}: it doesn't say its size`, {
      host: caller.host,
    });
  } catch (error) {
    if (failureKindOf(error) === 'notFound') return undefined;
    throw error;
  }
}

function rangeHeader({ start, length }: ByteRange): string {
  return `bytes=${start}-${length === undefined ? '' : start + length - 1}`;
}

/** What is wrong with a part that came for a range; a shorter one than asked for is right. */
function rangeFault(
  part: { readonly start: number; readonly end: number } | undefined,
  length: number | undefined,
  range: ByteRange | undefined,
): string | undefined {
  if (part === undefined) return 'HTTP 206 without a Content-Range';
  if (range !== undefined && part.start !== range.start) return `bytes from ${part.start} on, want ${range.start}`;
  const last = range?.length === undefined ? undefined : range.start + range.length - 1;
  if (last !== undefined && part.end > last) return `bytes to ${part.end}, want at most ${last}`;
  if (length !== undefined && length !== part.end - part.start + 1)
    return `${length} bytes for ${part.start}-${part.end}`;
  return undefined;
}

function lengthOf(answer: Answer): number | undefined {
  const text = answer.headers.get('content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
