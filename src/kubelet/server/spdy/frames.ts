/** SPDY/3 frames, as Kubernetes uses them. Source: draft-mbelshe-httpbis-spdy-00, 2.2 and 2.6. */
export const spdyVersion = 3;

export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const finFlag = 1;

export const rstStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5, internalError: 6 } as const;

/** More than that is not sent in one DATA frame. */
export const maxDataBytes = 64 * 1024;

/** A control frame's eight bytes and its payload. */
export function encodeControl(type: number, flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(8 + payload.length);
  frame.writeUInt16BE(0x8000 | spdyVersion, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  frame.set(payload, 8);
  return frame;
}

/** The eight bytes before a DATA frame's payload of that length. */
export function encodeDataHead(streamId: number, length: number, fin: boolean): Buffer {
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32BE(streamId & 0x7fffffff, 0);
  head.writeUInt32BE((((fin ? finFlag : 0) << 24) | length) >>> 0, 4);
  return head;
}

/** DATA frames of all the chunks, in pieces that are to be written one after another; the chunks are not copied. */
export function encodeData(streamId: number, chunks: readonly Buffer[], fin: boolean): readonly Buffer[] {
  const out: Buffer[] = [];
  let frame: Buffer[] = [];
  let frameBytes = 0;
  const finish = (last: boolean) => {
    if (frameBytes > 0 || last) out.push(encodeDataHead(streamId, frameBytes, last), ...frame);
    frame = [];
    frameBytes = 0;
  };
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + maxDataBytes - frameBytes);
      at += part.length;
      frame.push(part);
      frameBytes += part.length;
      if (frameBytes === maxDataBytes) finish(false);
    }
  }
  finish(fin);
  return out;
}

export function encodeRstStream(streamId: number, status: number): Buffer {
  return encodeControl(frameType.rstStream, 0, words(streamId, status));
}

export function encodePing(id: number): Buffer {
  return encodeControl(frameType.ping, 0, words(id));
}

export function encodeGoAway(lastStreamId: number, status: number): Buffer {
  return encodeControl(frameType.goAway, 0, words(lastStreamId, status));
}

export function encodeSynReply(streamId: number, headerBlock: Uint8Array): Buffer {
  return encodeControl(frameType.synReply, 0, Buffer.concat([words(streamId), headerBlock]));
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}
