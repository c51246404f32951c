import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { release } from '../../base/block-pool.js';
import { errnoOf, HyperupError, messageOf } from '../../base/errors.js';
import type { Descriptor } from '../../registry/types.js';
import { chunkBytes, foreignCompression, isGzip } from './archive-file.js';
import { verifiedChunks } from './digest.js';

/** How much the inflater may run ahead of who takes its output, bytes. */
const aheadBytes = 4 * 1024 * 1024;

/**
 * Hands a layer's plain tar to `take`, inflated where the blob is gzip, and gives its diff id. What was taken counts
 * only once this has resolved: `DigestMismatch` where the blob isn't what its digest says, `InvalidConfig` for a layer
 * that is damaged though its digest is right, or of another compression. `take` must not keep `content` from ending.
 */
export async function readLayerTar(
  blob: Descriptor,
  content: Readable,
  action: string,
  take: (chunk: Buffer) => Promise<void>,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const plain = async (chunk: Buffer) => {
    hash.update(chunk);
    await take(chunk);
  };
  let inflate: Inflater | undefined;
  let start: Buffer = Buffer.alloc(0);
  let begun = false;
  const put = async (chunk: Buffer) => (inflate ? inflate.write(chunk) : plain(chunk));
  try {
    for await (const chunk of verifiedChunks(blob, content, action, signal)) {
      if (begun) {
        await put(chunk);
        continue;
      }
      // The first bytes say what it is, whatever the media type says.
      start = start.length === 0 ? chunk : Buffer.concat([start, chunk]);
      if (start.length < Math.min(8, blob.size)) continue;
      begun = true;
      const compression = foreignCompression(start);
      if (compression !== undefined) {
        throw new HyperupError(
          'InvalidConfig',
          `${action}: the layer is compressed by ${compression}, want gzip or none`,
        );
      }
      if (isGzip(start)) inflate = makeInflater(plain, action);
      await put(start);
    }
    await inflate?.end();
  } finally {
    await inflate?.stop();
  }
  return `sha256:${hash.digest('hex')}`;
}

interface Inflater {
  /** Quiet where the data is damaged: the blob's digest, which tells more, comes first. The chunk becomes the inflater's. */
  write(chunk: Buffer): Promise<void>;
  /** Rejects where the data was damaged or cut off. */
  end(): Promise<void>;
  stop(): Promise<void>;
}

function makeInflater(take: (chunk: Buffer) => Promise<void>, action: string): Inflater {
  const options = { chunkSize: chunkBytes, readableHighWaterMark: aheadBytes, writableHighWaterMark: aheadBytes };
  const gunzip = createGunzip(options);
  let failure: { readonly error: unknown } | undefined;
  const drained = (async () => {
    try {
      for await (const chunk of gunzip as AsyncIterable<Buffer>) await take(chunk);
    } catch (error) {
      failure = { error };
    }
  })();
  const isDamage = (error: unknown) => errnoOf(error)?.startsWith('Z_') === true;
  return {
    write: async (chunk) => {
      if (failure && !isDamage(failure.error)) throw failure.error;
      if (failure || gunzip.write(chunk, (error) => error ?? release(chunk))) return;
      const waiting = new AbortController();
      await Promise.race([once(gunzip, 'drain', { signal: waiting.signal }).catch(() => {}), drained]);
      waiting.abort();
    },
    end: async () => {
      gunzip.end();
      await drained;
      if (!failure) return;
      const { error } = failure;
      if (!isDamage(error)) throw error;
      throw new HyperupError('InvalidConfig', `${action}: the layer is damaged: ${messageOf(error)}`, { cause: error });
    },
    stop: async () => {
      gunzip.destroy();
      await drained;
    },
  };
}

/** The digests of a layer that is gzip, as it is and inflated, in one reading. `InvalidConfig` where it is damaged. */
export async function hashLayer(
  content: Readable,
  action: string,
): Promise<{ readonly digest: string; readonly diffId: string }> {
  const whole = createHash('sha256');
  const plain = createHash('sha256');
  const inflate = makeInflater(async (chunk) => {
    plain.update(chunk);
  }, action);
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      whole.update(chunk);
      await inflate.write(chunk);
    }
    await inflate.end();
  } finally {
    await inflate.stop();
  }
  return { digest: `sha256:${whole.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}` };
}
