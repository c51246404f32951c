import { createHash } from 'node:crypto';

/** The digest of these bytes by the algorithm of `like` (`sha512:…`), else by SHA-256. */
export function digestOf(bytes: Uint8Array, like?: string | undefined): string {
  const algorithm = like?.startsWith('sha512:') ? 'sha512' : 'sha256';
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
