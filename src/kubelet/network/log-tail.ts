import { open } from 'node:fs/promises';
import { errnoOf } from '../../base/errors.js';

/** A line of the engine's holds at most 16 KiB of output, six times that where every byte is escaped. */
const readBytes = 128 * 1024;

/**
 * The end of a container's output, both streams as they came, from the engine's json-file log: at most that many lines
 * and bytes. Empty where there is no log. Throws what the file system says.
 */
export async function readLogTail(path: string, lines: number, limitBytes: number): Promise<string> {
  const text = await readEnd(path);
  let left = lines;
  const parts: string[] = [];
  let bytes = 0;
  for (const entry of text.split('\n').reverse()) {
    const said = logOf(entry);
    if (said === undefined) continue;
    // A piece of a long line has no newline; it belongs to the line that its last piece ends.
    if (said.endsWith('\n') || parts.length === 0) left -= 1;
    if (left < 0 || bytes >= limitBytes) break;
    parts.unshift(said);
    bytes += Buffer.byteLength(said);
  }
  return lastBytes(parts.join(''), limitBytes);
}

async function readEnd(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, readBytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Undefined for a line that was cut. */
function logOf(entry: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(entry);
    if (typeof parsed !== 'object' || parsed === null || !('log' in parsed)) return undefined;
    return typeof parsed.log === 'string' ? parsed.log : undefined;
  } catch {
    return undefined;
  }
}

/** Cut to bytes as upstream does; a character that was cut in two becomes U+FFFD, which the API takes. */
function lastBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= limit ? text : bytes.subarray(bytes.length - limit).toString('utf8');
}
