import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { HyperupError } from '../base/errors.js';
import { makeDemultiplexer, type OutputChunk } from './demultiplex.js';
import type { ProcessStreams } from './runtime-types.js';

/** How much of one stream waits for its reader before the source is paused. */
const bufferBytes = 64 * 1024;
/** How much of a process's input waits for the engine to take it. */
const inputBytes = 64 * 1024;

export interface ProcessSourceOptions {
  /** Of the engine's answer; unframed with a terminal, and all of it is stdout then. */
  readonly tty: boolean;
  /** Whether the source, which is a socket then, takes the process's input. */
  readonly stdin: boolean;
  /** What a failure of the source means to the caller. */
  readonly toError: (error: unknown) => HyperupError;
}

/**
 * A process's streams over one source, which is paused while the slower reader of the two has 64 kB waiting: who wants
 * one stream alone must `resume()` or destroy the other. `ended` resolves once the readers have taken everything, and
 * then the source is gone; it may be left unheard, as may errors of the streams.
 */
export function makeProcessStreams(source: Socket | IncomingMessage, options: ProcessSourceOptions): ProcessStreams {
  const demultiplexer = makeDemultiplexer(options.tty);
  const full = new Set<Readable>();
  const release = (stream: Readable) => {
    if (full.delete(stream) && full.size === 0) source.resume();
  };
  const stdout = makeOutput(release);
  const stderr = makeOutput(release);
  const outputs: Readonly<Record<OutputChunk['stream'], Readable>> = { stdout, stderr };
  if (options.tty) stderr.push(null);

  let settled = false;
  const ended = new Promise<void>((resolve, reject) => {
    const fail = (error: unknown) => {
      if (settled) return;
      settled = true;
      const failure = options.toError(error);
      for (const output of [stdout, stderr]) output.destroy(failure);
      source.destroy();
      reject(failure);
    };
    source.on('data', (chunk: Buffer) => {
      try {
        for (const { stream, data } of demultiplexer.push(chunk)) {
          const output = outputs[stream];
          if (!output.destroyed && !output.push(data)) full.add(output);
        }
      } catch (error) {
        fail(error);
      }
      if (full.size > 0) source.pause();
    });
    source.once('end', () => {
      if (settled) return;
      // An engine that goes away looks like an end: only the framing can tell.
      if (demultiplexer.partial) return fail(new HyperupError('EngineFailed', 'the output was cut off'));
      settled = true;
      for (const output of [stdout, stderr]) if (!output.readableEnded && !output.destroyed) output.push(null);
      // Input that the process never read would else keep the socket waiting for ever.
      source.destroy();
      resolve(Promise.all([taken(stdout), taken(stderr)]).then(() => {}));
    });
    source.on('error', fail);
    source.once('close', () => fail(new HyperupError('Aborted', 'the connection was cut')));
  });
  ended.catch(() => {});
  return {
    stdin: options.stdin && !(source instanceof IncomingMessage) ? makeInput(source) : undefined,
    stdout,
    stderr,
    ended,
    destroy: () => {
      source.destroy();
      // After the source's end only what still waits for its reader is left to give up.
      if (settled) for (const output of [stdout, stderr]) output.destroy();
    },
  };
}

function makeOutput(release: (stream: Readable) => void): Readable {
  const output: Readable = new Readable({
    highWaterMark: bufferBytes,
    read: () => release(output),
    destroy: (error, done) => {
      release(output);
      done(error);
    },
  });
  // `ended` tells it as well; a stream that nobody listens to must not end the program.
  output.on('error', () => {});
  return output;
}

/** Resolves once the reader has everything, or has given up. */
function taken(output: Readable): Promise<void> {
  if (output.readableEnded || output.destroyed || output.readableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    output.once('end', resolve);
    output.once('close', resolve);
  });
}

/**
 * The writing half of a socket as a stream of its own, so that its end, its destruction or its failure never cuts the
 * output: a process may close its input and go on. It is destroyed with the socket.
 */
function makeInput(socket: Socket): Duplex {
  const write = (chunks: readonly Buffer[], done: () => void) => {
    if (socket.destroyed || !socket.writable) return done();
    socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.uncork();
    // Not the write's own callback: it comes a turn later also where the engine has taken everything already.
    if (!socket.writableNeedDrain || socket.writableLength === 0) done();
    else awaitDrain(socket, done);
  };
  const input = new Duplex({
    writableHighWaterMark: inputBytes,
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => write([chunk], done),
    writev: (chunks, done) => {
      const buffers = chunks.map(({ chunk }) => chunk as Buffer);
      write(buffers, done);
    },
    final: (done) => {
      socket.end();
      done();
    },
    destroy: (_error, done) => {
      if (socket.writable) socket.end();
      done(null);
    },
  });
  input.on('error', () => {});
  input.push(null);
  // Its readable half has nothing to tell, and must have ended for the stream to close by itself.
  input.resume();
  socket.once('close', () => input.destroy());
  return input;
}

function awaitDrain(socket: Socket, done: () => void): void {
  const settle = () => {
    socket.off('drain', settle);
    socket.off('close', settle);
    done();
  };
  socket.on('drain', settle);
  socket.on('close', settle);
}
