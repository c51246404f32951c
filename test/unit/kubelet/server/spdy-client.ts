import type { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { makeHeaderDictionary } from '../../../../src/kubelet/server/spdy/dictionary.js';
import { makeFrameParser } from '../../../../src/kubelet/server/spdy/frame-parser.js';
import { encodeControl, encodeDataHead, encodePing, frameType } from '../../../../src/kubelet/server/spdy/frames.js';

/** One of the client's streams: what came on it, and how it ended. */
export interface ClientStream {
  readonly id: number;
  readonly chunks: Buffer[];
  /** Resolves at its SYN_REPLY with the number of headers; rejects on a reset before that. */
  readonly replied: Promise<number>;
  /** Resolves with all that came, at its end or reset or with the connection. */
  readonly ended: Promise<Buffer>;
  write(data: Uint8Array | string, fin?: boolean): Promise<void>;
}

/** The client's side of SPDY/3.1 with real zlib streams both ways, as Go's clients have them. */
export function makeSpdyClient(socket: Duplex, head: Buffer) {
  const dictionary = makeHeaderDictionary();
  const deflate = createDeflate({ dictionary });
  const inflate = createInflate({ dictionary });
  const streams = new Map<number, { stream: ClientStream; reply(n: number): void; end(reset: boolean): void }>();
  const pings: number[] = [];
  const control: number[] = [];
  let nextId = 1;
  /** Blocks are deflated one after another, in the order of their streams. */
  let opening: Promise<unknown> = Promise.resolve();
  socket.setMaxListeners(0);

  const compress = (bytes: Buffer) =>
    new Promise<Buffer>((resolve) => {
      const parts: Buffer[] = [];
      const keep = (part: Buffer) => parts.push(part);
      deflate.on('data', keep);
      deflate.write(bytes);
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.off('data', keep);
        resolve(Buffer.concat(parts));
      });
    });
  const decompress = (bytes: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      const parts: Buffer[] = [];
      const keep = (part: Buffer) => parts.push(part);
      inflate.on('data', keep);
      inflate.once('error', reject);
      inflate.write(bytes, () => {
        inflate.off('data', keep);
        inflate.off('error', reject);
        resolve(Buffer.concat(parts));
      });
    });

  async function read(): Promise<void> {
    const parser = makeFrameParser();
    const take = async (chunk: Buffer) => {
      for (const event of parser.push(chunk)) {
        if (event.kind === 'data') {
          const entry = streams.get(event.streamId);
          if (event.chunk.length > 0) entry?.stream.chunks.push(Buffer.from(event.chunk));
          if (event.fin) entry?.end(false);
          continue;
        }
        control.push(event.type);
        const id = event.payload.length >= 4 ? event.payload.readUInt32BE(0) : 0;
        if (event.type === frameType.synReply) {
          const block = await decompress(event.payload.subarray(4));
          streams.get(id)?.reply(block.readUInt32BE(0));
        } else if (event.type === frameType.rstStream) streams.get(id)?.end(true);
        else if (event.type === frameType.ping) pings.push(id);
      }
    };
    try {
      await take(head);
      for await (const chunk of socket) await take(chunk as Buffer);
    } catch {
      // The connection broke; whoever waits learns it by what came.
    }
    for (const entry of streams.values()) entry.end(true);
  }
  socket.on('error', () => {});
  const closed = read();

  return {
    socket,
    pings,
    control,
    closed,
    send: (bytes: Uint8Array) => void socket.write(bytes),
    ping: (id: number) => void socket.write(encodePing(id)),
    open(headers: Record<string, string>): Promise<ClientStream> {
      const opened = opening.then(() => openNow(headers));
      opening = opened;
      return opened;
    },
  };

  async function openNow(headers: Record<string, string>): Promise<ClientStream> {
    const id = nextId;
    nextId += 2;
    const text = (value: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(value));
      return Buffer.concat([length, Buffer.from(value)]);
    };
    const count = Buffer.alloc(4);
    count.writeUInt32BE(Object.keys(headers).length);
    const block = Buffer.concat([count, ...Object.entries(headers).flatMap(([k, v]) => [text(k), text(v)])]);
    let reply: (n: number) => void = () => {};
    let refuse: (error: Error) => void = () => {};
    let end: (bytes: Buffer) => void = () => {};
    const chunks: Buffer[] = [];
    const stream: ClientStream = {
      id,
      chunks,
      replied: new Promise((resolve, reject) => {
        reply = resolve;
        refuse = reject;
      }),
      ended: new Promise((resolve) => {
        end = resolve;
      }),
      async write(data, fin = false) {
        const bytes = Buffer.from(data);
        let at = 0;
        do {
          const part = bytes.subarray(at, at + 16_000);
          at += part.length;
          socket.write(encodeDataHead(id, part.length, fin && at >= bytes.length));
          if (!socket.write(part)) await new Promise<void>((resolve) => socket.once('drain', resolve));
        } while (at < bytes.length);
      },
    };
    stream.replied.catch(() => {});
    streams.set(id, {
      stream,
      reply,
      end(reset) {
        if (reset) refuse(new Error('reset'));
        end(Buffer.concat(chunks));
      },
    });
    const fixed = Buffer.alloc(10);
    fixed.writeUInt32BE(id, 0);
    socket.write(encodeControl(frameType.synStream, 0, Buffer.concat([fixed, await compress(block)])));
    return stream;
  }
}

export type SpdyClient = ReturnType<typeof makeSpdyClient>;
