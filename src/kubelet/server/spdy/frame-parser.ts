import { HyperupError } from '../../../base/errors.js';
import { finFlag, spdyVersion } from './frames.js';

/** Longer control frames end the connection: the header block of one stream takes some hundred bytes. */
export const maxControlBytes = 64 * 1024;

export type FrameEvent =
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer }
  /** A part of a DATA frame's payload; `fin` only with the frame's last part. */
  | { readonly kind: 'data'; readonly streamId: number; readonly chunk: Buffer; readonly fin: boolean };

export interface FrameParser {
  /** What that chunk completes, in order. DATA is passed on as it comes, so that a frame's length costs no memory. */
  push(chunk: Buffer): Generator<FrameEvent, void, undefined>;
  /** True within a frame. */
  readonly partial: boolean;
}

/** Cuts a byte stream into frames; keeps at most one control frame. `push` throws `ApiFailed` for what isn't SPDY/3. */
export function makeFrameParser(): FrameParser {
  const head = Buffer.alloc(8);
  let headBytes = 0;
  /** The frame whose payload is being read. */
  let control: { type: number; flags: number; payload: Buffer; filled: number } | undefined;
  let data: { streamId: number; left: number; fin: boolean } | undefined;

  /** Starts the frame whose head is complete; an event where it has no payload. */
  function begin(): FrameEvent | undefined {
    headBytes = 0;
    const length = head.readUIntBE(5, 3);
    const flags = head[4] ?? 0;
    if (((head[0] ?? 0) & 0x80) === 0) {
      const streamId = head.readUInt32BE(0);
      const fin = (flags & finFlag) !== 0;
      if (length === 0) return { kind: 'data', streamId, chunk: Buffer.alloc(0), fin };
      data = { streamId, left: length, fin };
      return undefined;
    }
    const version = head.readUInt16BE(0) & 0x7fff;
    const type = head.readUInt16BE(2);
    if (version !== spdyVersion) throw fault(`a control frame of version ${version}, want ${spdyVersion}`);
    if (length > maxControlBytes) throw fault(`a control frame of ${length} bytes, want at most ${maxControlBytes}`);
    if (length === 0) return { kind: 'control', type, flags, payload: Buffer.alloc(0) };
    control = { type, flags, payload: Buffer.allocUnsafe(length), filled: 0 };
    return undefined;
  }

  return {
    *push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (data !== undefined) {
          const part = chunk.subarray(at, at + data.left);
          at += part.length;
          data.left -= part.length;
          const { streamId, left, fin } = data;
          if (left === 0) data = undefined;
          yield { kind: 'data', streamId, chunk: part, fin: fin && left === 0 };
        } else if (control !== undefined) {
          const taken = chunk.copy(control.payload, control.filled, at);
          at += taken;
          control.filled += taken;
          if (control.filled < control.payload.length) continue;
          const { type, flags, payload } = control;
          control = undefined;
          yield { kind: 'control', type, flags, payload };
        } else {
          const taken = chunk.copy(head, headBytes, at);
          at += taken;
          headBytes += taken;
          if (headBytes < head.length) continue;
          const event = begin();
          if (event !== undefined) yield event;
        }
      }
    },
    get partial() {
      return headBytes > 0 || control !== undefined || data !== undefined;
    },
  };
}

function fault(what: string): HyperupError {
  return new HyperupError('ApiFailed', `read a SPDY frame: got ${what}`);
}
