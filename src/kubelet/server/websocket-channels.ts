import { PassThrough, type Readable, Writable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../base/clock.js';
import { HttpFault } from './http-fault.js';
import type { RequestContext } from './request-context.js';

/** A client's message is held whole until it is complete. */
const maxMessageBytes = 4 * 1024 * 1024;
const maxChunkBytes = 32 * 1024;
/** Unread input of a channel beyond which no more is read from the socket. */
const inputBytes = 64 * 1024;
/** Unsent output beyond which writers wait. */
const unsentBytes = 128 * 1024;
/** How long the client may take to answer our close. */
const closeMs = 2_000;
/** The channel of v5 whose message names one that is closed. */
const closeChannel = 255;

/** Streams multiplexed over one WebSocket: each message begins with its channel's number. */
export interface WebSocketChannels {
  /** Empty where none was asked for. */
  readonly protocol: string;
  /** What the client sends there; ends when the client closes it (v5) or goes. Messages for unread channels are dropped. */
  readable(channel: number): Readable;
  /** Each write is a message; it ends once all of them are sent, and its end sends nothing. */
  writable(channel: number): Writable;
  send(channel: number, data: Uint8Array): Promise<void>;
  readonly closed: AbortSignal;
  /** A close frame, and the end of the connection once it is answered. */
  finish(): Promise<void>;
}

/**
 * Upgrades to a WebSocket with the client's first subprotocol that is supported, or with none where none is asked for.
 * Throws an HttpFault 403 where none of the client's is. Source: apiserver's util/wsstream/conn.go, v1.20.
 */
export async function openWebSocketChannels(
  context: RequestContext,
  supported: readonly string[],
  options: { readonly clock: Clock; readonly idleTimeoutMs: number },
): Promise<WebSocketChannels> {
  const wanted = (context.request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const protocol = wanted.length === 0 ? '' : wanted.find((name) => supported.includes(name));
  if (protocol === undefined || context.upgrade === undefined) {
    throw new HttpFault(403, `requested protocol(s) are not supported: [${wanted.join(' ')}]`);
  }
  const acceptor = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    skipUTF8Validation: true,
    handleProtocols: () => (protocol === '' ? false : protocol),
  });
  const { socket, head } = context.upgrade();
  const ws = await new Promise<WebSocket>((resolve, reject) => {
    // What isn't a WebSocket handshake is answered with a 400 by the library.
    socket.once('close', () => reject(new HttpFault(400, 'the WebSocket handshake failed')));
    acceptor.on('wsClientError', (error) => {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      reject(new HttpFault(400, error.message));
    });
    acceptor.handleUpgrade(context.request, socket, head, resolve);
  });
  return multiplex(ws, protocol, options);
}

function multiplex(
  ws: WebSocket,
  protocol: string,
  options: { readonly clock: Clock; readonly idleTimeoutMs: number },
): WebSocketChannels {
  const base64 = protocol.includes('base64');
  const inputs = new Map<number, PassThrough>();
  /** Channels whose readers are behind. */
  const full = new Set<PassThrough>();
  const closed = new AbortController();
  let lastUse = options.clock.monotonicMs();

  ws.on('error', () => ws.terminate());
  ws.on('close', () => {
    closed.abort();
    for (const input of inputs.values()) input.end();
  });
  ws.on('message', (message: Buffer) => {
    lastUse = options.clock.monotonicMs();
    const channel = base64 ? (message[0] ?? 0) - 48 : message[0];
    if (channel === undefined) return;
    const payload = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    if (channel === closeChannel && protocol.startsWith('v5.')) {
      inputs.get(payload[0] ?? closeChannel)?.end();
      return;
    }
    const input = inputs.get(channel);
    if (input === undefined || payload.length === 0 || input.writableEnded || input.destroyed) return;
    if (input.write(payload) || full.has(input)) return;
    // Messages that were read already still come; the socket is not read any further.
    full.add(input);
    ws.pause();
    const room = () => {
      input.off('drain', room);
      input.off('close', room);
      full.delete(input);
      if (full.size === 0) ws.resume();
    };
    input.on('drain', room);
    input.on('close', room);
  });
  ws.on('ping', () => {
    lastUse = options.clock.monotonicMs();
  });
  void watchIdle();

  async function watchIdle(): Promise<void> {
    for (;;) {
      const left = lastUse + options.idleTimeoutMs - options.clock.monotonicMs();
      if (left <= 0) {
        ws.terminate();
        return;
      }
      try {
        await options.clock.sleep(left, closed.signal);
      } catch {
        return;
      }
    }
  }

  function send(channel: number, data: Uint8Array): Promise<void> {
    lastUse = options.clock.monotonicMs();
    return new Promise((resolve) => {
      if (ws.readyState !== ws.OPEN) {
        resolve();
        return;
      }
      const message = base64
        ? String.fromCharCode(48 + channel) + Buffer.from(data).toString('base64')
        : Buffer.concat([Buffer.of(channel), data]);
      ws.send(message, { binary: !base64 }, () => resolve());
    });
  }

  return {
    protocol,
    closed: closed.signal,
    send,
    readable(channel) {
      const input = new PassThrough({ highWaterMark: inputBytes });
      input.on('error', () => {});
      inputs.set(channel, input);
      if (closed.signal.aborted) input.end();
      return input;
    },
    writable(channel) {
      let sent = Promise.resolve();
      return new Writable({
        highWaterMark: unsentBytes,
        decodeStrings: true,
        write(chunk: Buffer, _encoding, done) {
          for (let at = 0; at < chunk.length; at += maxChunkBytes) {
            sent = send(channel, chunk.subarray(at, at + maxChunkBytes));
          }
          if (ws.bufferedAmount <= unsentBytes) done();
          else void sent.then(() => done());
        },
        final: (done) => void sent.then(() => done()),
      }).on('error', () => {});
    },
    async finish() {
      ws.resume();
      ws.close(1000);
      await options.clock.sleep(closeMs, closed.signal).catch(() => {});
      if (!closed.signal.aborted) ws.terminate();
    },
  };
}
