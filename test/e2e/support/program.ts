import { execa } from 'execa';

/** How a program ended; a non-zero exit is an outcome, not an error. */
export interface ProgramResult {
  readonly command: string;
  /** 128 plus the signal's number where a signal ended it, as a shell has it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

export interface ProgramOptions {
  readonly stdin?: string | undefined;
  /** Added to the tests' own environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** Kills it after that many milliseconds, which shows as exit code 143 or 137. */
  readonly timeoutMs?: number | undefined;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: ((line: string, stream: 'stdout' | 'stderr') => void) | undefined;
}

/** A program that runs. */
export interface RunningProgram {
  readonly pid: number;
  readonly result: Promise<ProgramResult>;
  kill(signal: NodeJS.Signals): void;
}

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** Starts a program by name and arguments, never through a shell. The caller awaits `result` or kills it. */
export function startProgram(file: string, args: readonly string[], options: ProgramOptions = {}): RunningProgram {
  const started = performance.now();
  const child = execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    input: options.stdin ?? '',
    env: { ...process.env, ...options.env },
    extendEnv: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  const { onLine } = options;
  const followed = onLine
    ? [
        follow(child.iterable({ from: 'stdout' }), 'stdout', onLine),
        follow(child.iterable({ from: 'stderr' }), 'stderr', onLine),
      ]
    : [];
  const finish = async (): Promise<ProgramResult> => {
    const [ended] = await Promise.all([child, ...followed]);
    if (ended.exitCode === undefined && ended.signal === undefined) {
      throw new Error(`run ${ended.command}: ${ended.message ?? 'could not be started'}`);
    }
    return {
      command: ended.command,
      exitCode: ended.exitCode ?? 128 + (signalNumbers[ended.signal ?? 'SIGTERM'] ?? 0),
      stdout: ended.stdout,
      stderr: ended.stderr,
      elapsedMs: performance.now() - started,
    };
  };
  const result = finish();
  // The caller may look at it late; the rejection stays in `result`.
  result.catch(() => {});
  return { pid: child.pid ?? 0, result, kill: (signal) => void child.kill(signal) };
}

async function follow(
  lines: AsyncIterable<unknown>,
  stream: 'stdout' | 'stderr',
  onLine: (line: string, stream: 'stdout' | 'stderr') => void,
): Promise<void> {
  // The program's failure is in its result.
  try {
    for await (const line of lines) onLine(String(line), stream);
  } catch {}
}

/** Runs a program to its end. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return await startProgram(file, args, options).result;
}

/** Gives stdout, or throws with everything that the program said. */
export async function outputOf(file: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const result = await runProgram(file, args, options);
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
  return result.stdout;
}

/** A failed program with all that it said, for an error or a test's diagnostics. */
export function describeFailure(result: ProgramResult): string {
  return `${result.command}: exit code ${result.exitCode}\n${result.stdout}${result.stderr}`;
}
