import { type Duplex, PassThrough } from 'node:stream';
import type { Clock } from '../../src/base/clock.js';
import { HyperupError } from '../../src/base/errors.js';
import type { ProcessStreams, TerminalSize } from '../../src/docker/runtime-types.js';
import type { FakeExec, FakeIo } from './fake-runtime-types.js';

/** Both ends of a fake process's streams. */
export interface FakePipes {
  readonly io: FakeIo;
  readonly streams: ProcessStreams;
  resize(size: TerminalSize): void;
  /** Its output is over. */
  finish(): void;
}

/** With `tty` stderr goes to stdout, as a terminal has it. `given` hears what the process writes. */
export function makeFakePipes(
  options: {
    readonly stdin?: Duplex | undefined;
    readonly tty: boolean;
    readonly signal: AbortSignal;
  },
  given: (stream: 'stdout' | 'stderr', data: Buffer) => void = () => {},
): FakePipes {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let size: TerminalSize = { width: 0, height: 0 };
  let cut = (_error: HyperupError) => {};
  const ended = new Promise<void>((resolve, reject) => {
    cut = reject;
    Promise.all([taken(stdout), taken(stderr)]).then(() => resolve(), reject);
  });
  ended.catch(() => {});
  const writer = (stream: 'stdout' | 'stderr') => async (data: string | Buffer) => {
    const bytes = Buffer.from(data);
    given(stream, bytes);
    const target = options.tty || stream === 'stdout' ? stdout : stderr;
    if (target.destroyed || target.writableEnded) return;
    if (!target.write(bytes)) await room(target);
  };
  const noInput = new PassThrough();
  noInput.end();
  for (const stream of [stdout, stderr]) stream.on('error', () => {});
  if (options.tty) stderr.end();
  return {
    io: {
      stdin: options.stdin ?? noInput,
      stdout: writer('stdout'),
      stderr: writer('stderr'),
      size: () => size,
      signal: options.signal,
    },
    streams: {
      stdin: options.stdin,
      stdout,
      stderr,
      ended,
      destroy: () => {
        const error = new HyperupError('Aborted', 'the connection was cut');
        cut(error);
        for (const stream of [stdout, stderr]) stream.destroy(error);
      },
    },
    resize: (wanted) => {
      size = wanted;
    },
    finish: () => {
      stdout.end();
      stderr.end();
    },
  };
}

/** Runs what was arranged for a command; gives its exit code, 137 where the container ends first. */
export async function runFakeExec(exec: FakeExec, io: FakeIo, clock: Clock): Promise<number> {
  const killed = new Promise<number>((resolve) => {
    if (io.signal.aborted) resolve(137);
    io.signal.addEventListener('abort', () => resolve(137), { once: true });
  });
  const run = async () => {
    if (exec.main) return exec.main(io);
    if (exec.afterMs !== undefined) await clock.sleep(exec.afterMs, io.signal);
    if (exec.stdout) await io.stdout(exec.stdout);
    if (exec.stderr) await io.stderr(exec.stderr);
    return exec.exitCode ?? 0;
  };
  return Promise.race([run().catch(() => 137), killed]);
}

function room(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('drain', settle);
      stream.off('close', settle);
      resolve();
    };
    stream.on('drain', settle);
    stream.on('close', settle);
  });
}

/** Resolves once the stream has ended and its reader has everything, or has given up. */
function taken(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    stream.once('finish', () => setImmediate(() => stream.readableLength === 0 && resolve()));
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
}
