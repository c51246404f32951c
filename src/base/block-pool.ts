/*
 * Memory for bytes on their way through. A fresh buffer for each read costs more than all else that is done with its
 * bytes: the kernel clears its pages, nothing of it is in a cache, and the collector has to find out when it is free.
 *
 * A chunk that was read into a pool's block has one owner. Whoever is handed it owns it; who keeps it beyond that says
 * `hold`, and every owner says `release` when done. The last one frees the block for the next read. To release what
 * others still read is a fault that digests don't find; not to release is none: the collector takes the block then.
 */

/** Blocks of one size, for one process. */
export interface BlockPool {
  /** A block for one owner, with no content in particular. */
  take(): Buffer;
}

interface Lent {
  owners: number;
  readonly free: () => void;
}

/** By the memory below a chunk, so that parts of a chunk count for its block. */
const lent = new WeakMap<ArrayBufferLike, Lent>();

/** `kept` blocks of `blockBytes` wait for their next use; more are made where more are wanted at once. */
export function makeBlockPool(blockBytes: number, kept: number): BlockPool {
  const idle: Buffer[] = [];
  return {
    take() {
      const block = idle.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      lent.set(block.buffer, {
        owners: 1,
        free: () => {
          if (idle.length < kept) idle.push(block);
        },
      });
      return block;
    },
  };
}

/** One more owner. Memory that is no pool's needs none. */
export function hold(chunk: Uint8Array): void {
  const entry = lent.get(chunk.buffer);
  if (entry !== undefined) entry.owners += 1;
}

/** One owner less; the chunk isn't that owner's to read any more. */
export function release(chunk: Uint8Array): void {
  const entry = lent.get(chunk.buffer);
  if (entry === undefined) return;
  entry.owners -= 1;
  if (entry.owners > 0) return;
  lent.delete(chunk.buffer);
  entry.free();
}
