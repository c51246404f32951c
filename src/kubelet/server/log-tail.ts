import type { FileHandle } from 'node:fs/promises';

const blockBytes = 64 * 1024;
const newline = 0x0a;

/**
 * Where the last so many records begin; a last line without its newline is not counted. Reads backwards, block by block,
 * no further than needed. Source: pkg/util/tail FindTailLineStartIndex, v1.20.
 */
export async function findTailOffset(file: FileHandle, records: number): Promise<number> {
  const { size } = await file.stat();
  const block = Buffer.allocUnsafe(Math.min(blockBytes, Math.max(size, 1)));
  let left = records;
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - block.length);
    const { bytesRead } = await file.read(block, 0, end - begin, begin);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (block[at] !== newline) continue;
      // The newline before the first wanted record, or, for none, the last of all.
      if (left === 0) return begin + at + 1;
      left--;
    }
    end = begin;
  }
  return 0;
}
