import type { Readable } from 'node:stream';
import type { TerminalSize } from '../../docker/runtime-types.js';

/** A size takes some 30 bytes. */
const maxPending = 4096;

/**
 * Reads sizes, JSON objects one after another however they are cut, and applies the newest; those that come while one is
 * being applied replace each other. Resolves when the stream ends; failures of `apply` are the caller's to ignore.
 */
export async function followTerminalSize(
  stream: Readable,
  apply: (size: TerminalSize) => Promise<void>,
): Promise<void> {
  let pending = '';
  let newest: TerminalSize | undefined;
  let applying = false;
  const run = async () => {
    if (applying) return;
    applying = true;
    while (newest !== undefined) {
      const size = newest;
      newest = undefined;
      await apply(size).catch(() => {});
    }
    applying = false;
  };
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      pending += String(chunk);
      for (const match of pending.matchAll(/\{[^{}]*\}/g)) newest = sizeOf(match[0]) ?? newest;
      pending = pending.slice(pending.lastIndexOf('}') + 1);
      if (pending.length > maxPending) pending = '';
      void run();
    }
  } catch {
    // The client has gone; so has its terminal.
  }
}

function sizeOf(json: string): TerminalSize | undefined {
  try {
    const size = JSON.parse(json) as { Width?: unknown; Height?: unknown };
    const { Width: width, Height: height } = size;
    const valid = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;
    return valid(width) && valid(height) && width < 65536 && height < 65536 ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}
