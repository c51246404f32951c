/** A piece of a container's output and which of its streams it came from. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

const headerBytes = 8;

/** Undoes Docker's framing: pieces of a frame are given as they arrive, so a large frame is never held in memory. */
export interface Demultiplexer {
  push(chunk: Uint8Array): readonly OutputChunk[];
  /** True in the middle of a frame: a stream that ends here was cut off. */
  readonly partial: boolean;
}

/**
 * Frames: one byte of stream (0 stdin, 1 stdout, 2 stderr, 3 the engine's own error), three zero bytes, four bytes of length,
 * big-endian, then the data (Docker Engine API, "Attach to a container", stream format). With `tty` there are no frames.
 * Throws a plain error for a header that can't be one.
 */
export function makeDemultiplexer(tty: boolean): Demultiplexer {
  if (tty) {
    return { push: (data) => (data.byteLength === 0 ? [] : [{ stream: 'stdout', data }]), partial: false };
  }
  const header = Buffer.alloc(headerBytes);
  let filled = 0;
  let left = 0;
  let stream: OutputChunk['stream'] = 'stdout';
  return {
    push(chunk) {
      const out: OutputChunk[] = [];
      let at = 0;
      while (at < chunk.byteLength) {
        if (left === 0) {
          const taken = chunk.subarray(at, at + headerBytes - filled);
          header.set(taken, filled);
          at += taken.byteLength;
          filled += taken.byteLength;
          if (filled < headerBytes) break;
          filled = 0;
          stream = streamOf(header);
          left = header.readUInt32BE(4);
        } else {
          const data = chunk.subarray(at, at + left);
          at += data.byteLength;
          left -= data.byteLength;
          out.push({ stream, data });
        }
      }
      return out;
    },
    get partial() {
      return left > 0 || filled > 0;
    },
  };
}

function streamOf(header: Buffer): OutputChunk['stream'] {
  const type = header[0] ?? 0;
  if (type > 3 || header[1] !== 0 || header[2] !== 0 || header[3] !== 0) {
    throw new Error(`the output stream is not framed as expected (header ${header.toString('hex')})`);
  }
  return type >= 2 ? 'stderr' : 'stdout';
}
