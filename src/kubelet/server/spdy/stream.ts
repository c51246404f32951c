import { Duplex } from 'node:stream';
import type { StreamHeaders } from './header-block.js';

/** What a stream gives its reader ahead. */
const readAheadBytes = 32 * 1024;
/** What it takes from its writer ahead: as much as a socket gives at once. */
const writeAheadBytes = 64 * 1024;
/** What a chunk in the queue costs beside its bytes. */
const chunkCostBytes = 128;
/** Chunks of that size on an average are not copied into one. */
const copiedBytes = 4 * 1024;

/** What a stream asks of its session. */
export interface StreamOutlet {
  /** Calls back once there is room for more, which may be at once, or the connection has gone. */
  sendData(streamId: number, chunks: readonly Buffer[], fin: boolean, done: () => void): void;
  sendReset(streamId: number): void;
  /** Its reader has taken what was queued. */
  caughtUp(stream: SpdyStream): void;
  gone(stream: SpdyStream): void;
}

/**
 * One stream of a connection. `end()` half-closes it, `destroy()` resets what isn't closed yet. Output waits while the
 * connection takes no more. A reset by the peer closes it early, without an error event.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: StreamHeaders;
  readonly #outlet: StreamOutlet;
  /** What its reader hasn't asked for yet. */
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #wanted = false;
  #peerEnded = false;
  #ended = false;
  #reset = false;

  constructor(id: number, headers: StreamHeaders, outlet: StreamOutlet) {
    super({
      allowHalfOpen: true,
      decodeStrings: true,
      readableHighWaterMark: readAheadBytes,
      writableHighWaterMark: writeAheadBytes,
    });
    this.id = id;
    this.headers = headers;
    this.#outlet = outlet;
    // Whoever uses it learns of a failure by its early close; an error without listeners would end the process.
    this.on('error', () => {});
  }

  /** Memory that unread input takes, beyond a little. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Data of the peer's; what comes after its end is dropped. */
  receive(chunk: Buffer, fin: boolean): void {
    if (this.#peerEnded || this.destroyed) return;
    this.#peerEnded = fin;
    if (chunk.length > 0 && this.#wanted) {
      this.#wanted = this.push(chunk);
    } else if (chunk.length > 0) {
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.length + chunkCostBytes;
    }
    if (fin && this.#queue.length === 0) this.push(null);
  }

  /** Gives the reader all that is queued: small pieces as one, large ones without a copy. */
  #hand(): void {
    const chunks = joinSmall(this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const chunk of chunks) this.#wanted = this.push(chunk);
    this.#outlet.caughtUp(this);
    if (this.#peerEnded) this.push(null);
  }

  /** The peer has reset it, or the connection has gone: nothing is sent for it any more. */
  abandon(): void {
    this.#reset = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#queue.length > 0) this.#hand();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#outlet.sendData(this.id, [chunk], false, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#outlet.sendData(this.id, joinSmall(chunks.map(({ chunk }) => chunk)), false, done);
  }

  override _final(done: () => void): void {
    this.#ended = true;
    this.#outlet.sendData(this.id, [], true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#reset && !(this.#ended && this.#peerEnded)) this.#outlet.sendReset(this.id);
    this.#outlet.gone(this);
    done(error);
  }
}

function joinSmall(chunks: readonly Buffer[]): readonly Buffer[] {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return bytes > chunks.length * copiedBytes ? chunks : [Buffer.concat(chunks, bytes)];
}
