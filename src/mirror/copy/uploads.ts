import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { isHyperupError, messageOf } from '../../base/errors.js';
import { readTextIfPresent, removeFile } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { withFolder } from '../../base/make-folder.js';
import type { BlobUpload, Descriptor, RegistryClient } from '../../registry/types.js';

/** An upload of one blob that a later process can go on with. */
export interface ResumableUpload {
  /** Bytes that the registry has; `send` wants what follows. */
  readonly offset: number;
  /**
   * Sends the blob from `offset` to its end and, once `verified` resolves, closes the upload; not every registry checks
   * what it is told. Rejects with what the client or `verified` rejects with.
   */
  send(rest: Readable, verified: () => Promise<unknown>): Promise<void>;
  /** Sends what the registry lacks of a blob that is right, and closes the upload, in one request. Rejects as `send`. */
  sendWhole(content: Buffer): Promise<void>;
  /** After a `send` that failed: sets `offset` to where the registry is now, 0 where it has forgotten. */
  recover(): Promise<void>;
}

/** Uploads to one repository, whose sessions are kept in files so that kill -9 loses none that the registry keeps. */
export interface BlobUploads {
  begin(blob: Descriptor, signal: AbortSignal): Promise<ResumableUpload>;
}

export interface BlobUploadsOptions {
  readonly client: Pick<RegistryClient, 'host' | 'startUpload' | 'resumeUpload'>;
  /** The repository. */
  readonly path: string;
  /** Where sessions' files lie; made when needed. */
  readonly stateDir: string;
  readonly logger: Logger;
}

/** Smaller ones are sent again: a session's file would cost more. */
const worthKeepingBytes = 8 * 1024 * 1024;

export function makeBlobUploads(options: BlobUploadsOptions): BlobUploads {
  return { begin: (blob, signal) => beginUpload(blob, signal, options) };
}

async function beginUpload(
  blob: Descriptor,
  signal: AbortSignal,
  { client, path, stateDir, logger }: BlobUploadsOptions,
): Promise<ResumableUpload> {
  const kept = blob.size >= worthKeepingBytes ? sessionFile(stateDir, client.host, path, blob.digest) : undefined;
  let keeping: Promise<void> = Promise.resolve();
  /** Nothing waits for it: without its file an upload can't be gone on with, and that is all. */
  const keep = (upload: BlobUpload) => {
    if (kept === undefined) return;
    keeping = keeping
      .then(() => writeLocation(kept, upload.location))
      .catch((error: unknown) => {
        logger.debug('An upload cannot be noted down', { path: kept, err: messageOf(error) });
      });
  };
  const forget = async () => {
    await keeping;
    if (kept !== undefined) await removeFile(kept);
  };
  const start = async (): Promise<BlobUpload> => {
    const upload = await client.startUpload(path, undefined, { signal });
    if (upload === 'mounted') throw new TypeError('startUpload: mounted without being asked to');
    keep(upload);
    return upload;
  };
  /** What the registry has of that session; undefined where it has forgotten it or is beyond the blob. */
  const resume = async (location: string): Promise<BlobUpload | undefined> => {
    try {
      const upload = await client.resumeUpload(location, { signal });
      if (upload !== undefined && upload.offset <= blob.size) return upload;
      await upload?.cancel();
    } catch (error) {
      if (signal.aborted) throw error;
      logger.debug('An upload cannot be gone on with', { digest: blob.digest, err: messageOf(error) });
    }
    return undefined;
  };

  const before = kept === undefined ? undefined : await readLocation(kept);
  let upload = (before === undefined ? undefined : await resume(before)) ?? (await start());
  const sending = async (work: () => Promise<void>) => {
    try {
      await work();
      await forget();
    } catch (error) {
      // A session that came to the wrong digest is of no more use; others go on where they are.
      if (isHyperupError(error, 'DigestMismatch')) {
        await upload.cancel();
        await forget();
      } else {
        keep(upload);
        await keeping;
      }
      throw error;
    }
  };
  return {
    get offset() {
      return upload.offset;
    },
    async send(rest, verified) {
      try {
        await sending(async () => {
          if (upload.offset < blob.size) await upload.append(rest, blob.size - upload.offset, { signal });
          await verified();
          await upload.finish(blob.digest, { signal });
        });
      } finally {
        rest.destroy();
      }
    },
    sendWhole: (content) =>
      sending(() => upload.finish(blob.digest, { signal, rest: content.subarray(upload.offset) })),
    async recover() {
      upload = (await resume(upload.location)) ?? (await start());
    },
  };
}

function sessionFile(stateDir: string, host: string, path: string, digest: string): string {
  const key = createHash('sha256').update(`${host}/${path}@${digest}`).digest('hex');
  return join(stateDir, `${key}.json`);
}

/** kill -9 loses nothing of what was written, so nothing is flushed; what a power failure leaves is found to be damaged. */
async function writeLocation(file: string, location: string): Promise<void> {
  await withFolder(dirname(file), () => writeFile(file, JSON.stringify({ location }), { mode: 0o600 }), 0o700);
}

/** Undefined where there is none; a damaged file is as good as none. */
async function readLocation(file: string): Promise<string | undefined> {
  const text = await readTextIfPresent(file);
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('location' in value)) return undefined;
    return typeof value.location === 'string' ? value.location : undefined;
  } catch {
    return undefined;
  }
}
