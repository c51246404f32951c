import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.js';
import { HyperupError, messageOf } from '../../../base/errors.js';
import type { Logger } from '../../../base/logger.js';
import { type FrameEvent, makeFrameParser } from './frame-parser.js';
import {
  encodeData,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSynReply,
  finFlag,
  frameType,
  rstStatus,
} from './frames.js';
import { makeEmptyBlockWriter, makeHeaderReader, type StreamHeaders } from './header-block.js';
import { readInTurn } from './read-in-turn.js';
import { SpdyStream } from './stream.js';

/** Unread input of one stream, and of a whole connection, beyond which no more is read from the socket. */
const streamInputBytes = 256 * 1024;
const connectionInputBytes = 1024 * 1024;
/** Unsent output beyond which no more is read: else a peer that only asks would make it grow. */
const outputBytes = 1024 * 1024;
/** Unsent output beyond which streams wait. */
const unsentBytes = 128 * 1024;
/** Output beyond which no more is gathered for one write. */
const gatheredBytes = 64 * 1024;
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
  let gathering = false;

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

  /** What is written within one turn of the event loop leaves together, in one TLS record where it fits. */
  function gather(): void {
    if (gathering) return;
    gathering = true;
    socket.cork();
    setImmediate(flush);
  }

  function flush(): void {
    if (!gathering) return;
    gathering = false;
    socket.uncork();
  }

  const outlet = {
    sendData(streamId: number, chunks: readonly Buffer[], fin: boolean, done: () => void): void {
      if (closed.signal.aborted || socket.writableEnded) {
        done();
        return;
      }
      let waiting = true;
      const proceed = () => {
        if (!waiting) return;
        waiting = false;
        done();
      };
      const parts = encodeData(streamId, chunks, fin);
      gather();
      for (const [index, part] of parts.entries()) {
        if (index < parts.length - 1) socket.write(part);
        else socket.write(part, proceed);
      }
      if (socket.writableLength > gatheredBytes) flush();
      // At its end a stream waits for everything: what is not sent is lost with the connection.
      if (parts.length === 0 || (!fin && socket.writableLength <= unsentBytes)) proceed();
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

  /** What comes after a frame with headers waits until they are inflated. */
  function handle(event: FrameEvent): Promise<unknown> | undefined {
    if (event.kind === 'data') {
      const stream = streams.get(event.streamId);
      stream?.receive(event.chunk, event.fin);
      if (stream !== undefined && stream.queuedBytes > 0) behind.add(stream);
      return undefined;
    }
    const { type, payload, flags } = event;
    if (type === frameType.synStream) {
      return open(flags, payload);
    } else if (type === frameType.headers || type === frameType.synReply) {
      // Nothing needs them, but the next block can't be read without them.
      if (payload.length < 4) throw fault('a cut header frame');
      return headerReader.read(payload.subarray(4));
    } else if (type === frameType.rstStream) {
      if (payload.length < 8) throw fault('a cut RST_STREAM');
      streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.abandon();
    } else if (type === frameType.ping) {
      if (payload.length < 4) throw fault('a cut PING');
      const id = payload.readUInt32BE(0);
      if (id % 2 === 1) send(encodePing(id));
    }
    return undefined;
  }

  /** Takes what the chunk completes, at once as far as nothing has to be waited for. */
  function take(chunk: Buffer): Promise<void> | undefined {
    return takeEvents(parser.push(chunk));
  }

  function takeEvents(events: Iterator<FrameEvent, void>): Promise<void> | undefined {
    while (!closed.signal.aborted) {
      const { done, value } = events.next();
      if (done) break;
      const time = handle(value);
      if (time !== undefined) return time.then(() => takeEvents(events));
    }
    return behind.size > 0 || socket.writableLength > outputBytes ? roomForMore() : undefined;
  }

  async function read(): Promise<void> {
    try {
      await take(options.head);
      await readInTurn(socket, take);
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
