import { join } from 'node:path';
import { type ProgramOptions, type ProgramResult, type RunningProgram, startProgram } from './program.js';

/** The built command line, beside the package.json that tests are run from. */
export const cliPath = join(process.cwd(), 'dist/cli/main.js');

/**
 * Marks in its environment every process that a test's CLI starts, so that what outlives it is known as ours.
 * `hostSnapshot` looks for it.
 */
export const marker = 'HYPERUP_TEST_RUN';

/** Starts `hyperup …`, as built, for tests that signal it. */
export function startCli(args: readonly string[], options: ProgramOptions = {}): RunningProgram {
  return startProgram(process.execPath, [cliPath, ...args], { ...options, env: { ...options.env, [marker]: '1' } });
}

/** Runs `hyperup …`, as built, to its end. */
export async function runCli(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  return await startCli(args, options).result;
}

/** The objects that `--json` printed, one a line. Throws on a line that is none, naming it. */
export function jsonLines(stdout: string): readonly Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as Record<string, unknown>;
      } catch {
        throw new Error(`a line of --json is not JSON: ${line}`);
      }
    });
}
