import { HyperupError } from '../base/errors.js';
import type { CliIo, StopSignal } from './cli-io.js';
import { exitCodes } from './exit-codes.js';

export interface StopWatch {
  readonly signal: AbortSignal;
  /** What the first stop signal does, for the line that says so. */
  describe(text: string): void;
  close(): void;
}

/**
 * Turns stop signals into an abort: the first one aborts and says what happens now, the second ends the process with 130
 * at once.
 */
export function watchStopSignals(io: CliIo, announce: (text: string) => void): StopWatch {
  const controller = new AbortController();
  let description = 'stopping';
  const close = io.onStopSignal((name: StopSignal) => {
    if (controller.signal.aborted) {
      io.exitNow(exitCodes.interrupted);
      return;
    }
    announce(`interrupted by ${name}: ${description} (once more to stop at once)`);
    controller.abort(new HyperupError('Aborted', `interrupted by ${name}`));
  });
  return {
    signal: controller.signal,
    describe: (text) => {
      description = text;
    },
    close,
  };
}
