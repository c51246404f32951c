import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { PartIdentity } from './part-notes.js';
import { digestAlgorithm } from './prefix-digest.js';

/** Whether a file is that blob: a process that was killed after the rename leaves one. Reads all of it. */
export async function isBlobFile(path: string, { digest, size }: PartIdentity, signal?: AbortSignal): Promise<boolean> {
  try {
    if ((await stat(path)).size !== size) return false;
    const algorithm = digestAlgorithm(digest);
    const hash = createHash(algorithm);
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(chunk as Buffer);
    return `${algorithm}:${hash.digest('hex')}` === digest;
  } catch {
    return false;
  }
}
