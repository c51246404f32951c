import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import type { Descriptor } from '../../registry/types.js';

export interface Digest {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  readonly hex: string;
}

const digestPattern = /^(?:(sha256):([0-9a-f]{64})|(sha384):([0-9a-f]{96})|(sha512):([0-9a-f]{128}))$/;

/** Takes a digest apart; safe to make a file name of. `InvalidConfig` beginning with `action` where it is none. */
export function parseDigest(text: string, action: string): Digest {
  const match = digestPattern.exec(text);
  const algorithm = match?.[1] ?? match?.[3] ?? match?.[5];
  const hex = match?.[2] ?? match?.[4] ?? match?.[6];
  if (hex === undefined || (algorithm !== 'sha256' && algorithm !== 'sha384' && algorithm !== 'sha512')) {
    const shown = text.length > 150 ? `${text.slice(0, 150)}…` : text;
    throw new HyperupError('InvalidConfig', `${action}: "${shown}" is not a digest, want sha256:<64 hex digits>`);
  }
  return { algorithm, hex };
}

/** `sha256:<hex>` of bytes. */
export function sha256Of(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Throws `DigestMismatch` where the bytes are not what the digest says. */
export function checkBytes(bytes: Uint8Array, digest: string, action: string): void {
  const { algorithm } = parseDigest(digest, action);
  const got = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
  if (got !== digest) throw mismatch(action, `digest ${got}, want ${digest}`);
}

/** A hash that is told what it must come to. */
export interface Verifier {
  update(chunk: Uint8Array): void;
  /** Throws `DigestMismatch` where size or digest are others than the descriptor's. */
  finish(): void;
}

/** Hashes a blob as it comes by; `update` throws as soon as it is longer than its descriptor says. */
export function makeVerifier(blob: Descriptor, action: string): Verifier {
  const { algorithm } = parseDigest(blob.digest, action);
  const hash: Hash = createHash(algorithm);
  let size = 0;
  return {
    update: (chunk) => {
      size += chunk.length;
      if (size > blob.size) throw mismatch(action, `more than ${blob.size} bytes of ${blob.digest}`);
      hash.update(chunk);
    },
    finish: () => {
      if (size !== blob.size) throw mismatch(action, `${size} bytes of ${blob.digest}, want ${blob.size}`);
      const got = `${algorithm}:${hash.digest('hex')}`;
      if (got !== blob.digest) throw mismatch(action, `digest ${got}, want ${blob.digest}`);
    },
  };
}

/**
 * The content's chunks, hashed as they pass; ends with `DigestMismatch` where it isn't the blob, so what was done with
 * the chunks counts only once the iteration has ended. `Aborted` on the signal. The content is destroyed in any case.
 */
export function verifiedChunks(
  blob: Descriptor,
  content: Readable,
  action: string,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  hearErrors(content);
  return readVerified(blob, content, action, signal);
}

/** What fails before it is read must not go unheard, which would end the process; whoever reads it gets the error. */
export function hearErrors(content: Readable): void {
  content.on('error', () => {});
}

async function* readVerified(
  blob: Descriptor,
  content: Readable,
  action: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, void> {
  const verifier = makeVerifier(blob, action);
  const cut = () => content.destroy(new HyperupError('Aborted', `${action}: interrupted`, { cause: signal?.reason }));
  signal?.addEventListener('abort', cut, { once: true });
  try {
    throwIfAborted(signal, action);
    for await (const chunk of content as AsyncIterable<Buffer>) {
      verifier.update(chunk);
      yield chunk;
    }
    throwIfAborted(signal, action);
    verifier.finish();
  } finally {
    signal?.removeEventListener('abort', cut);
    content.destroy();
  }
}

/** `DigestMismatch` with the hint that all of them share. */
export function mismatch(action: string, got: string): HyperupError {
  return new HyperupError('DigestMismatch', `${action}: got ${got}`, {
    hint: 'The content was damaged or changed on its way: fetch it again, from another source if it stays so.',
  });
}
