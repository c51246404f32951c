import type { Readable } from 'node:stream';
import { HyperupError } from '../base/errors.js';
import type { Descriptor, Platform } from '../registry/types.js';
import { checkBytes } from './content/digest.js';
import { maxConfigBytes, parseJson } from './content/image-manifest.js';

/**
 * The machine that an image is for, by its config; undefined where it doesn't say. `content` gives the config's bytes
 * and is read to its end; they are checked. Errors: `DigestMismatch`, `InvalidConfig` for what is no config.
 */
export async function configPlatform(
  config: Descriptor,
  content: Readable,
  action: string,
): Promise<Platform | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxConfigBytes) {
      throw new HyperupError('InvalidConfig', `${action}: the config is longer than ${maxConfigBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  checkBytes(bytes, config.digest, action);
  const json = parseJson(bytes, action);
  const [os, architecture, variant] = ['os', 'architecture', 'variant'].map((key) => textAt(json, key));
  if (architecture === undefined) return undefined;
  return { os: os ?? 'linux', architecture, ...(variant === undefined ? {} : { variant }) };
}

function textAt(json: unknown, key: string): string | undefined {
  const value: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, key) : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
