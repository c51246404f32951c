import { Duplex } from 'node:stream';
import type { StreamHeaders } from './header-block.js';

/** What a stream gives its reader at once, and takes from its writer. */
const readAheadBytes = 32 * 1024;
/** What a chunk in the queue costs beside its bytes. */
const chunkCostBytes = 128;

/** What a stream asks of its session. */
export interface StreamOutlet {
  /** Resolves once there is room for more, or the connection has gone. */
  sendData(streamId: number, chunk: Buffer, fin: boolean): Promise<void>;
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
    super({ allowHalfOpen: true, readableHighWaterMark: readAheadBytes, writableHighWaterMark: readAheadBytes });
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
    if (chunk.length > 0) {
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.length + chunkCostBytes;
    }
    if (this.#wanted) this.#hand();
  }

  /** Gives the reader all that is queued, as one chunk. */
  #hand(): void {
    this.#wanted = false;
    const queue = this.#queue;
    const [first] = queue;
    if (first !== undefined) {
      this.#queue = [];
      this.#queuedBytes = 0;
      this.push(queue.length === 1 ? first : Buffer.concat(queue));
      this.#outlet.caughtUp(this);
    }
    if (this.#peerEnded) this.push(null);
  }

  /** The peer has reset it, or the connection has gone: nothing is sent for it any more. */
  abandon(): void {
    this.#reset = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#queue.length > 0 || this.#peerEnded) this.#hand();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    if (bytes.length === 0) done();
    else this.#outlet.sendData(this.id, bytes, false).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ended = true;
    this.#outlet.sendData(this.id, Buffer.alloc(0), true).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#reset && !(this.#ended && this.#peerEnded)) this.#outlet.sendReset(this.id);
    this.#outlet.gone(this);
    done(error);
  }
}
