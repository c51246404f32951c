import type { Readable } from 'node:stream';
import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import { makeLineSplitter } from './lines.js';

/** A message of Docker's progress streams (moby `pkg/jsonmessage`); only what hyperup reads. */
export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly aux?: { readonly ID?: string };
}

/** Reads the stream's JSON messages, one a line. Throws the stream's own error, and a plain error for a line that isn't JSON. */
export async function* readMessages(stream: Readable): AsyncGenerator<ProgressMessage> {
  const splitter = makeLineSplitter();
  for await (const chunk of stream) yield* parseLines(splitter.push(chunk as Buffer));
  yield* parseLines(splitter.end());
}

function* parseLines(lines: readonly string[]): Generator<ProgressMessage> {
  for (const line of lines) {
    if (line.trim() === '') continue;
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) throw new Error(`unexpected message of the engine: ${line}`);
    yield value;
  }
}

/** The engine's own error in a message, if it has one. */
export function messageError(message: ProgressMessage): string | undefined {
  return message.errorDetail?.message ?? message.error;
}

/** Fires once nothing was heard for `idleMs`; `heard` starts the time again. */
export interface IdleTimer {
  readonly signal: AbortSignal;
  heard(): void;
  stop(): void;
}

/** Its signal's reason is a `Timeout`. A limit that is due is checked against the last sign of life, not restarted for each. */
export function startIdleTimer(action: string, idleMs: number, clock: Clock): IdleTimer {
  const idle = new AbortController();
  const timer = new AbortController();
  let last = clock.monotonicMs();
  const watch = async () => {
    for (;;) {
      const left = last + idleMs - clock.monotonicMs();
      if (left <= 0) break;
      await clock.sleep(left, timer.signal);
    }
    idle.abort(
      new HyperupError('Timeout', `${action}: nothing heard for ${Math.round(idleMs / 1000)} s`, {
        hint: 'The source hangs, or the network drops its answers: try another mirror.',
        details: { stallMs: idleMs },
      }),
    );
  };
  // Rejects only when stopped.
  watch().catch(() => {});
  return {
    signal: idle.signal,
    heard: () => {
      last = clock.monotonicMs();
    },
    stop: () => timer.abort(),
  };
}
