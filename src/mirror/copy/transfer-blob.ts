import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isHyperupError, messageOf, throwIfAborted } from '../../base/errors.js';
import { removeFile } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import type { Descriptor } from '../../registry/types.js';
import { verifiedChunks } from '../content/digest.js';
import type { BlobFetcher, BlobOrigin, ImageReader, ImageWriter } from '../content/types.js';
import { makePrefixPipe } from './prefix-pipe.js';
import type { BlobUploads, ResumableUpload } from './uploads.js';

/** What moving the blobs of one copy takes. */
export interface BlobTransfer {
  readonly source: ImageReader;
  readonly target: ImageWriter;
  readonly uploads: BlobUploads | undefined;
  readonly fetcher: BlobFetcher;
  readonly cacheDir: string;
  /** Takes the removal of a file, which the copy has to wait for and this blob hasn't; it never rejects. */
  readonly onRemoving: (work: Promise<void>) => void;
  /** Resolves when the folder of `stagedPath` is there. */
  readonly staging: Promise<void>;
  /** As `FetchBlobRequest.onBytes`. */
  readonly onBytes: (bytes: number, origin: string | undefined) => void;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** So short a blob is held in memory: a process that is killed loses no more of a long one. */
export const heldWholeBytes = 1024 * 1024;
/** How often a blob is sent again that has come in whole, when the target fails. */
const maxSends = 3;
const readBytes = 1024 * 1024;

/** Where a blob is built up that goes to a target that is no folder. */
export function stagedPath(cacheDir: string, digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return join(cacheDir, 'blobs', algorithm, hex);
}

/** Moves one blob that the target lacks. Rejects with what reader, fetcher or writer reject with. */
export async function transferBlob(blob: Descriptor, transfer: BlobTransfer): Promise<void> {
  const { source, target } = transfer;
  const origins = source.origins ?? [];
  if (origins.length === 0) await sendLocal(blob, transfer);
  else if (target.stagingPath !== undefined && target.adoptBlob !== undefined) {
    const { fetcher, onBytes, signal } = transfer;
    await fetcher.fetch({ blob, origins, path: target.stagingPath(blob), onBytes, signal });
    await target.adoptBlob(blob);
  } else if (blob.size <= heldWholeBytes) await sendWhole(blob, origins, transfer);
  else await sendThrough(blob, origins, transfer);
}

/** From an archive, a folder or the engine, where nothing has to be kept for a second run. */
async function sendLocal(blob: Descriptor, transfer: BlobTransfer): Promise<void> {
  const { source, target, uploads, onBytes, signal } = transfer;
  const told = (bytes: number) => onBytes(bytes, source.name);
  if (uploads === undefined) {
    const content = await source.openBlob(blob, signal);
    const chunks = restOf(content as AsyncIterable<Buffer>, 0, told);
    return await target.putBlob(blob, Readable.from(chunks, { objectMode: false }), signal);
  }
  const upload = await uploads.begin(blob, signal);
  if (upload.offset > 0) onBytes(upload.offset, undefined);
  const send = async () => {
    const content = await source.openBlob(blob, signal);
    const chunks = verifiedChunks(blob, content, `read blob ${blob.digest} of ${source.name}`, signal);
    const rest = Readable.from(restOf(chunks, upload.offset, told), { objectMode: false });
    // The chunks end only where they were right.
    const ended = finished(rest, { writable: false });
    ended.catch(() => {});
    await upload.send(rest, () => ended);
  };
  await makeUpFor(await outcomeOf(send()), () => upload.recover().then(send), blob, transfer);
}

/** Sends a short blob once it is there and right: a file and a stream would cost more than its bytes. */
async function sendWhole(blob: Descriptor, origins: readonly BlobOrigin[], transfer: BlobTransfer): Promise<void> {
  const { fetcher, onBytes, signal, uploads, target } = transfer;
  // The registry that serves needn't wait for the one that takes.
  const beginning = uploads?.begin(blob, signal);
  beginning?.catch(() => {});
  let chunks: Buffer[] = [];
  await fetcher.fetch({
    blob,
    origins,
    path: undefined,
    onPrefix: (chunk) => {
      chunks.push(Buffer.from(chunk));
    },
    onRestart: () => {
      chunks = [];
    },
    onBytes,
    signal,
  });
  const content = Buffer.concat(chunks);
  const upload = await beginning;
  if (upload === undefined) {
    return await target.putBlob(blob, Readable.from([content], { objectMode: false }), signal);
  }
  const send = () => upload.sendWhole(content);
  await makeUpFor(await outcomeOf(send()), () => upload.recover().then(send), blob, transfer);
}

/** Sends the blob on as it comes in, while its file is kept for a second run. */
async function sendThrough(blob: Descriptor, origins: readonly BlobOrigin[], transfer: BlobTransfer): Promise<void> {
  const { fetcher, cacheDir, staging, onRemoving, onBytes, signal, uploads, target, logger } = transfer;
  const path = stagedPath(cacheDir, blob.digest);
  // The registry that serves needn't wait for the one that takes.
  let upload: ResumableUpload | undefined;
  const begun = (async () => {
    upload = await uploads?.begin(blob, signal);
    return upload?.offset ?? 0;
  })();
  const pipe = makePrefixPipe(begun);
  const stop = new AbortController();
  let verified: () => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const fetched = new Promise<void>((resolve, reject) => {
    [verified, failed] = [resolve, reject];
  });
  fetched.catch(() => {});
  const send = async () => {
    await begun;
    await (upload === undefined ? target.putBlob(blob, pipe.body, signal) : upload.send(pipe.body, () => fetched));
  };
  const sending = outcomeOf(send()).then((failure) => {
    pipe.body.destroy();
    const hasBegun = uploads === undefined || upload !== undefined;
    // What no second try mends ends the fetching too.
    if (failure !== undefined && !(hasBegun && isWorthRetrying(failure.error))) stop.abort(failure.error);
    return failure;
  });
  try {
    const both = AbortSignal.any([signal, stop.signal]);
    // The file gets its name while the registry closes the upload.
    const onVerified = () => {
      pipe.finish();
      verified();
    };
    const { push: onPrefix, restart: onRestart } = pipe;
    await staging;
    await fetcher.fetch({ blob, origins, path, onPrefix, onRestart, onVerified, onBytes, signal: both });
    onVerified();
  } catch (error) {
    pipe.fail(error);
    failed(error);
    const failure = await sending;
    throw stop.signal.aborted && failure !== undefined ? failure.error : error;
  }
  await makeUpFor(await sending, () => sendFile(blob, path, upload, transfer), blob, transfer);
  // It takes the kernel a while to free a large file's pages.
  const removal = removeFile(path).catch((error: unknown) => {
    logger.warn('a file that is of no more use cannot be removed', { path, err: messageOf(error) });
  });
  onRemoving(removal);
}

/** Sends again where that may help, up to so many times. Rejects with the last failure. */
async function makeUpFor(
  first: { readonly error: unknown } | undefined,
  sendAgain: () => Promise<void>,
  { digest }: Descriptor,
  { signal, logger }: BlobTransfer,
): Promise<void> {
  let failure = first;
  for (let sends = 1; failure !== undefined; sends += 1) {
    throwIfAborted(signal, `copy ${digest}`);
    if (sends === maxSends || !isWorthRetrying(failure.error)) throw failure.error;
    logger.debug('A blob is sent again', { digest, err: messageOf(failure.error) });
    failure = await outcomeOf(sendAgain());
  }
}

async function sendFile(
  blob: Descriptor,
  path: string,
  upload: ResumableUpload | undefined,
  { target, signal }: BlobTransfer,
): Promise<void> {
  await upload?.recover();
  const content = createReadStream(path, { start: upload?.offset ?? 0, highWaterMark: readBytes });
  await (upload === undefined ? target.putBlob(blob, content, signal) : upload.send(content, async () => {}));
}

/** The chunks from byte `offset` on; those are told. */
async function* restOf(
  content: AsyncIterable<Buffer>,
  offset: number,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  let skip = offset;
  for await (const chunk of content) {
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    if (rest.length === 0) continue;
    onBytes(rest.length);
    yield rest;
  }
}

/**
 * A registry that fails may do better the next time; so may the content, where it was wrong as it streamed and is right
 * in its file. What the registry refuses it refuses again.
 */
function isWorthRetrying(error: unknown): boolean {
  if (isHyperupError(error, 'Timeout') || isHyperupError(error, 'DigestMismatch')) return true;
  if (!isHyperupError(error, 'RegistryFailed')) return false;
  const { status } = error.details;
  return typeof status !== 'number' || status >= 500 || [404, 408, 416, 429].includes(status);
}

/** What a promise failed with, for where that is looked at later. */
async function outcomeOf(work: Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return { error };
  }
}
