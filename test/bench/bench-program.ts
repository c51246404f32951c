import { messageOf } from '../../src/base/errors.js';

/** What every bench does around its measuring: its choices from the environment, an orderly end. */
export interface BenchProgram {
  /** Throws where a signal came: between steps, so that each clears up after itself. */
  throwIfInterrupted(): void;
  /** Progress goes where it doesn't mix with the figures. */
  say(line: string): void;
  /** Runs the bench and sets this process's exit code: what it gives, 1 on a failure, 130 where a signal came. */
  finish(bench: () => Promise<number>): Promise<void>;
}

/** Made once a process: it takes the signals that would end it. */
export function createBenchProgram(): BenchProgram {
  let interrupted = false;
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // What runs gets the signal from the terminal too, or ends at its own pace; then this run clears up.
    process.once(signal, () => {
      interrupted = true;
      say(`interrupted by ${signal}: clearing up`);
    });
  }
  return {
    say,
    throwIfInterrupted() {
      if (interrupted) throw new Error('interrupted');
    },
    async finish(bench) {
      try {
        process.exitCode = await bench();
      } catch (error) {
        say(messageOf(error));
        for (let cause = error; cause instanceof Error && cause.cause !== undefined; cause = cause.cause) {
          say(`  ${messageOf(cause.cause)}`);
        }
        process.exitCode = interrupted ? 130 : 1;
      }
    },
  };
}

/** How many rounds BENCH_RUNS asks for; 3 where it says nothing. Throws on anything but 1 to 99. */
export function wantedRuns(text: string | undefined): number {
  if (text === undefined || text === '') return 3;
  if (!/^[1-9]\d?$/.test(text)) throw new Error(`BENCH_RUNS: got ${text}, want a number from 1 to 99`);
  return Number(text);
}

/** What BENCH_ONLY chooses of the names given: `a,b`; all where it says nothing. Throws on a name that isn't one. */
export function wantedNames<T extends string>(text: string | undefined, names: readonly T[]): ReadonlySet<T> {
  const words = (text ?? '').split(',').filter((word) => word !== '');
  const chosen = names.filter((name) => words.includes(name));
  if (chosen.length < new Set(words).size) throw new Error(`BENCH_ONLY: got ${words.join(',')}, want some of ${names}`);
  return new Set(words.length === 0 ? names : chosen);
}
