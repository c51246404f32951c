import type { PartStore } from './part-store.js';

/** A store for a blob that is short enough to be lost with the process. */
export function makeMemoryPart(size: number): PartStore {
  let content: Buffer | undefined;
  return {
    found: [],
    async write(position, buffers) {
      content ??= Buffer.allocUnsafe(size);
      let at = position;
      for (const buffer of buffers) at += buffer.copy(content, at);
    },
    // A copy, as from a file: what is given out is the taker's.
    read: async (position, length) => Buffer.from((content ?? Buffer.alloc(0)).subarray(position, position + length)),
    note: async () => {},
    restart: async () => {},
    complete: async () => {},
    close: async () => {},
  };
}
