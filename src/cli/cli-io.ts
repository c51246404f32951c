import { isatty } from 'node:tty';

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** The terminal and the process, as the command line sees them; tests hand in their own. */
export interface CliIo {
  readonly stdinIsTty: boolean;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  /** How wide stderr's terminal is now; absent or undefined where it isn't known. */
  columns?(): number | undefined;
  /** Results. */
  writeOut(text: string): void;
  /** Progress, notes, questions and errors. */
  writeErr(text: string): void;
  /** The line that the user types; rejects when the signal fires first. */
  ask(question: string, signal: AbortSignal): Promise<string>;
  /** Calls back on each stop signal until the returned function is called. */
  onStopSignal(listener: (signal: StopSignal) => void): () => void;
  /** Ends the process without waiting for anything. */
  exitNow(code: number): void;
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The real terminal. A reader that goes away early (`| head`) is no error. */
export function processIo(): CliIo {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
  return {
    // Not `process.stdin.isTTY`, which opens a stream.
    stdinIsTty: isatty(0),
    stdoutIsTty: process.stdout.isTTY === true,
    stderrIsTty: process.stderr.isTTY === true,
    columns: () => process.stderr.columns,
    writeOut: (text) => void process.stdout.write(text),
    writeErr: (text) => void process.stderr.write(text),
    ask: async (question, signal) => {
      const { createInterface } = await import('node:readline/promises');
      const readline = createInterface({ input: process.stdin, output: process.stderr });
      // readline swallows Ctrl-C on a terminal; hand it on to the one place that knows what to stop.
      readline.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      const closed = new Promise<string>((resolve) => readline.once('close', () => resolve('')));
      try {
        return await Promise.race([readline.question(question, { signal }), closed]);
      } finally {
        readline.close();
      }
    },
    onStopSignal: (listener) => {
      const removers = stopSignals.map((name) => {
        const handler = () => listener(name);
        process.on(name, handler);
        return () => process.off(name, handler);
      });
      return () => {
        for (const remove of removers) remove();
      };
    },
    exitNow: (code) => process.exit(code),
  };
}
