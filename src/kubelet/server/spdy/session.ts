import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.js';
import { HyperupError, messageOf } from '../../../base/errors.js';
import type { Logger } from '../../../base/logger.js';
import { type FrameEvent, makeFrameParser } from './frame-parser.js';
import {
  encodeDataHead,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSynReply,
  finFlag,
  frameType,
  maxDataBytes,
  rstStatus,
} from './frames.js';
import { makeEmptyBlockWriter, makeHeaderReader, type StreamHeaders } from './header-block.js';
import { SpdyStream } from './stream.js';

/** Unread input of one stream, and of a whole connection, beyond which no more is read from the socket. */
const streamInputBytes = 256 * 1024;
const connectionInputBytes = 1024 * 1024;
/** Unsent output beyond which no more is read: else a peer that only asks would make it grow. */
const outputBytes = 1024 * 1024;
/** How long a peer may take to close after GOAWAY, and again after our end. */
const lingerMs = 2_000;

export interface SpdySessionOptions {
  /** Both its sides are the session's from now on. */
  readonly socket: Duplex;
  /** Bytes that were read along with the request. */
  readonly head: Buffer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Streams at one time; further ones are refused. */
  readonly maxStreams: number;
  /** False resets the stream instead of answering it. */
  readonly accept: (headers: StreamHeaders) => boolean;
  /** Called once for each accepted stream, after its SYN_REPLY. */
  readonly onStream: (stream: SpdyStream) => void;
}

export interface SpdySession {
  /** Fires when the connection has gone, from whichever side. */
  readonly closed: AbortSignal;
  /** GOAWAY; waits briefly for the peer to close, so that nothing unread is lost, then ends. Idempotent. */
  finish(): Promise<void>;
  destroy(): void;
}

/**
 * The server's side of SPDY/3.1 without flow control, as Kubernetes' clients speak it. Malformed input ends the
 * connection alone; what a peer can make it hold is bounded. Source: spdystream (v1.20's vendor), connection.go.
 */
export function createSpdySession(options: SpdySessionOptions): SpdySession {
  const { socket, logger, clock } = options;
  const closed = new AbortController();
  const headerReader = makeHeaderReader();
  const emptyBlock = makeEmptyBlockWriter();
  const parser = makeFrameParser();
  const streams = new Map<number, SpdyStream>();
  /** Streams whose readers are behind. */
  const behind = new Set<SpdyStream>();
  let lastStreamId = 0;
  let finishing: Promise<void> | undefined;
  const wakeOutput: (() => void)[] = [];
  let wakeInput: (() => void) | undefined;

  function close(): void {
    if (closed.signal.aborted) return;
    closed.abort();
    headerReader.close();
    for (const stream of [...streams.values()]) stream.abandon();
    for (const wake of wakeOutput.splice(0)) wake();
    wakeInput?.();
    socket.destroy();
  }

  function send(frame: Buffer): void {
    if (!closed.signal.aborted && !socket.writableEnded) socket.write(frame);
  }

  function drained(): Promise<void> {
    return new Promise((resolve) => {
      if (closed.signal.aborted || !socket.writableNeedDrain) resolve();
      else wakeOutput.push(resolve);
    });
  }

  const outlet = {
    async sendData(streamId: number, chunk: Buffer, fin: boolean): Promise<void> {
      let at = 0;
      do {
        if (closed.signal.aborted || socket.writableEnded) return;
        const part = chunk.subarray(at, at + maxDataBytes);
        at += part.length;
        socket.cork();
        socket.write(encodeDataHead(streamId, part.length, fin && at >= chunk.length));
        if (part.length > 0) socket.write(part);
        socket.uncork();
        await drained();
      } while (at < chunk.length);
    },
    sendReset: (streamId: number) => send(encodeRstStream(streamId, rstStatus.cancel)),
    caughtUp(stream: SpdyStream) {
      if (behind.delete(stream)) wakeInput?.();
    },
    gone(stream: SpdyStream) {
      streams.delete(stream.id);
      if (behind.delete(stream)) wakeInput?.();
    },
  };

  /** Waits while readers or the peer are too far behind. */
  async function roomForMore(): Promise<void> {
    while (!closed.signal.aborted) {
      let unread = 0;
      let stuck = false;
      for (const stream of behind) {
        unread += stream.queuedBytes;
        stuck ||= stream.queuedBytes > streamInputBytes;
      }
      if (!stuck && unread < connectionInputBytes) break;
      await new Promise<void>((resolve) => {
        wakeInput = resolve;
      });
    }
    wakeInput = undefined;
    if (socket.writableLength > outputBytes) await drained();
  }

  async function open(flags: number, payload: Buffer): Promise<void> {
    if (payload.length < 10) throw fault('a cut SYN_STREAM');
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = await headerReader.read(payload.subarray(10));
    if (closed.signal.aborted) return;
    if (id % 2 === 0 || id <= lastStreamId) throw fault(`stream ${id} after ${lastStreamId}`);
    lastStreamId = id;
    if (finishing !== undefined || streams.size >= options.maxStreams) {
      send(encodeRstStream(id, rstStatus.refusedStream));
      return;
    }
    if (!options.accept(headers)) {
      send(encodeRstStream(id, rstStatus.cancel));
      return;
    }
    const stream = new SpdyStream(id, headers, outlet);
    streams.set(id, stream);
    send(encodeSynReply(id, emptyBlock()));
    if ((flags & finFlag) !== 0) stream.receive(Buffer.alloc(0), true);
    options.onStream(stream);
  }

  async function handle(event: FrameEvent): Promise<void> {
    if (event.kind === 'data') {
      const stream = streams.get(event.streamId);
      stream?.receive(event.chunk, event.fin);
      if (stream !== undefined && stream.queuedBytes > 0) behind.add(stream);
      return;
    }
    const { type, payload, flags } = event;
    if (type === frameType.synStream) {
      await open(flags, payload);
    } else if (type === frameType.headers || type === frameType.synReply) {
      // Nothing needs them, but the next block can't be read without them.
      if (payload.length < 4) throw fault('a cut header frame');
      await headerReader.read(payload.subarray(4));
    } else if (type === frameType.rstStream) {
      if (payload.length < 8) throw fault('a cut RST_STREAM');
      streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.abandon();
    } else if (type === frameType.ping) {
      if (payload.length < 4) throw fault('a cut PING');
      const id = payload.readUInt32BE(0);
      if (id % 2 === 1) send(encodePing(id));
    }
  }

  async function read(): Promise<void> {
    try {
      for (const event of parser.push(options.head)) await handle(event);
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        for (const event of parser.push(chunk as Buffer)) {
          await handle(event);
          if (closed.signal.aborted) return;
        }
        await roomForMore();
      }
    } catch (error) {
      if (!closed.signal.aborted) logger.debug('a SPDY connection ended early', { err: messageOf(error) });
      send(encodeGoAway(lastStreamId, 1));
    } finally {
      close();
    }
  }

  socket.on('drain', () => {
    for (const wake of wakeOutput.splice(0)) wake();
  });
  socket.on('error', close);
  socket.on('close', close);
  void read();

  return {
    closed: closed.signal,
    finish() {
      finishing ??= (async () => {
        send(encodeGoAway(lastStreamId, 0));
        await clock.sleep(lingerMs, closed.signal).catch(() => {});
        if (closed.signal.aborted) return;
        socket.end();
        await clock.sleep(lingerMs, closed.signal).catch(() => {});
        close();
      })();
      return finishing;
    },
    destroy: close,
  };
}

function fault(what: string): HyperupError {
  return new HyperupError('ApiFailed', `read from a SPDY connection: got ${what}`);
}
