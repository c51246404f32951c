import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { hold, makeBlockPool, release } from '../base/block-pool.js';
import { asError, connectOptions, withCode } from './direct-connect.js';
import { createWatchdog } from './watched-body.js';

/*
 * A long body over plain HTTP, read from the socket into blocks that are used again. undici copies every byte into its
 * parser's memory and out of a fresh buffer, which on a link without limits is most of the time that a download takes.
 * What isn't simple (another coding than the content as it is, a login that the connection itself carries, an upgrade)
 * is left to the client for short requests, by saying so.
 */

export interface DirectRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly connectTimeoutMs: number;
  /** After how long without a byte the body fails; the answer's beginning is the signal's to limit. */
  readonly silenceMs: number;
}

/** As the other client's, but for `body`: its chunks are lent, see `base/block-pool`. */
export interface DirectResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly length: number;
}

const blockBytes = 1 << 20;
/** What is left of a block and less than that isn't worth a read. */
const smallestRead = 256 * 1024;
const maxHeadBytes = 64 * 1024;
/** Enough for the bytes that a few readers are behind. */
const pool = makeBlockPool(blockBytes, 8);
const scrap = Buffer.alloc(1);

/**
 * Asks and resolves with the answer as soon as its head is there; undefined where it is none for this way, and nothing
 * of it was used. Rejects with the signal's reason or the network's error, which has undici's codes where Node has none.
 */
export function directGet(request: DirectRequest): Promise<DirectResponse | undefined> {
  return new Promise((resolve, reject) => {
    const text = requestText(request);
    const reader = new BlockReader();
    const socket = open(request, reader);
    let body: DirectBody | undefined;
    let isOver = false;
    const connecting = setTimeout(
      () => fail(withCode(`no connection within ${request.connectTimeoutMs} ms`, 'UND_ERR_CONNECT_TIMEOUT')),
      request.connectTimeoutMs,
    );

    const leave = () => {
      isOver = true;
      clearTimeout(connecting);
      request.signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reader.end();
    };
    const fail = (error: Error) => {
      if (body !== undefined) body.breakOff(error);
      else {
        leave();
        reject(error);
      }
    };
    const onAbort = () => {
      const reason = asError(request.signal.reason);
      if (body === undefined) fail(reason);
      else body.destroy(reason);
    };
    const takeHead = (chunk: Buffer): void => {
      const end = reader.findHeadEnd(chunk);
      if (end === undefined) return;
      const head = end === 'none' ? undefined : parseHead(reader.headText());
      if (head === undefined) {
        leave();
        resolve(undefined);
        return;
      }
      body = new DirectBody(socket, head.length, request.silenceMs, leave);
      resolve({ ...head, body });
      const rest = chunk.subarray(end as number);
      if (rest.length > 0) body.accept(rest);
      else release(chunk);
    };
    reader.onChunk = (chunk) => {
      if (isOver) return;
      if (body === undefined) takeHead(chunk);
      else body.accept(chunk);
    };

    socket.once('connect', () => {
      clearTimeout(connecting);
      socket.write(text);
    });
    socket.on('error', fail);
    socket.on('close', () => {
      if (!isOver) fail(withCode('other side closed', 'UND_ERR_SOCKET'));
    });
    if (request.signal.aborted) onAbort();
    else request.signal.addEventListener('abort', onAbort, { once: true });
  });
}

function open({ url }: DirectRequest, reader: BlockReader): Socket {
  return connect({
    ...connectOptions(url),
    onread: {
      buffer: () => reader.room(),
      callback: (bytes) => {
        reader.filled(bytes);
        return true;
      },
    },
  });
}

/** Cuts chunks out of blocks, one after the other, so that a short read doesn't cost a block. */
class BlockReader {
  onChunk: (chunk: Buffer) => void = () => {};
  #block: Buffer | undefined;
  #used = 0;
  #head = '';
  #isOver = false;

  /** Where the next read goes. */
  room(): Buffer {
    // Node asks once more after the last read.
    if (this.#isOver) return scrap;
    if (this.#block === undefined || blockBytes - this.#used < smallestRead) {
      if (this.#block !== undefined) release(this.#block);
      this.#block = pool.take();
      this.#used = 0;
    }
    return this.#block.subarray(this.#used);
  }

  filled(bytes: number): void {
    const block = this.#block;
    if (block === undefined || bytes <= 0) return;
    const chunk = block.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    hold(chunk);
    this.onChunk(chunk);
  }

  /** Gives its block back; the socket reads no more. */
  end(): void {
    this.#isOver = true;
    if (this.#block !== undefined) release(this.#block);
    this.#block = undefined;
  }

  /** Where the content begins in this chunk; undefined: not in it; `none`: the head is too long. */
  findHeadEnd(chunk: Buffer): number | 'none' | undefined {
    const before = this.#head.length;
    this.#head += chunk.toString('latin1', 0, maxHeadBytes);
    const at = this.#head.indexOf('\r\n\r\n');
    if (at === -1) {
      release(chunk);
      return this.#head.length >= maxHeadBytes ? 'none' : undefined;
    }
    this.#head = this.#head.slice(0, at);
    return at + 4 - before;
  }

  headText(): string {
    return this.#head;
  }
}

/** So many bytes, then the end. */
class DirectBody extends Readable {
  readonly #socket: Socket;
  readonly #watchdog: ReturnType<typeof createWatchdog>;
  readonly #leave: () => void;
  #left: number;

  constructor(socket: Socket, length: number, silenceMs: number, leave: () => void) {
    super({ highWaterMark: blockBytes / 2 });
    this.#socket = socket;
    this.#left = length;
    this.#leave = leave;
    this.#watchdog = createWatchdog(silenceMs, () => this.destroy(withCode('silent', 'UND_ERR_BODY_TIMEOUT')));
    // It may fail before it has a reader.
    this.on('error', () => {});
    if (length === 0) this.push(null);
  }

  /** The connection has ended; what came until then whole is whole. */
  breakOff(error: Error): void {
    if (this.#left > 0) this.destroy(error);
  }

  accept(chunk: Buffer): void {
    if (this.#left === 0 || this.destroyed) return;
    this.#watchdog.resume();
    const wanted = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= wanted.length;
    const hasRoom = this.push(wanted);
    if (this.#left === 0) {
      this.#watchdog.stop();
      this.push(null);
    } else if (!hasRoom && !this.destroyed) {
      this.#watchdog.pause();
      this.#socket.pause();
    }
  }

  override _read(): void {
    if (!this.#socket.isPaused()) return;
    this.#watchdog.resume();
    this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#watchdog.stop();
    this.#leave();
    done(error);
  }
}

function requestText({ url, headers }: DirectRequest): string {
  const lines = Object.entries({ host: url.host, connection: 'close', ...headers });
  const head = [`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
  if (head.some((line) => /[\r\n]/.test(line))) throw new TypeError('a header holds a line break');
  return `${head.join('\r\n')}\r\n\r\n`;
}

/** Undefined for what the other client is to read: a body of another kind than so many bytes as they are. Pure. */
function parseHead(text: string): Head | undefined {
  const [status = '', ...lines] = text.split('\r\n');
  const statusCode = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(status)?.[1]);
  if (!(statusCode >= 200) || statusCode === 204 || statusCode === 304) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  const length = headers['content-length'] ?? '';
  if ('transfer-encoding' in headers || !/^\d{1,15}$/.test(length)) return undefined;
  return { statusCode, headers, length: Number(length) };
}
