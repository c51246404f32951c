import type { Readable } from 'node:stream';
import { HyperupError } from '../base/errors.js';

const drainBytes = 64 * 1024;

/** The whole of a short body. Rejects with what the body fails with, or `RegistryFailed` where it is longer; destroys it then. */
export async function readBytes(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > maxBytes) {
      throw new HyperupError('RegistryFailed', `read answer: it is longer than ${maxBytes} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** As `readBytes`, with a limit on the whole time, so that one byte a second doesn't hold anyone up. */
export async function readBytesWithin(
  body: Readable,
  maxBytes: number,
  limitMs: number,
  late: () => Error,
): Promise<Buffer> {
  const timer = setTimeout(() => body.destroy(late()), limitMs);
  try {
    return await readBytes(body, maxBytes);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads on to nowhere, so that the connection can serve again; a long body isn't worth it. Never fails. */
export async function drain(body: Readable): Promise<void> {
  await readBytes(body, drainBytes).catch(() => {});
}
