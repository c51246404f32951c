import { isHyperupError } from '../base/errors.js';
import type { CommandResult, RunCommand } from '../base/run-command.js';
import { type ContainerEngine, managedLabel, roleLabel } from '../docker/types.js';

/** What of the engine it takes to run a program in a container. */
export type ProgramEngine = Pick<
  ContainerEngine,
  'createContainer' | 'startContainer' | 'waitContainer' | 'followLogs' | 'removeContainer'
>;

/**
 * Runs programs on the host, and those that the host doesn't have in a privileged container of `image` in the host's
 * network. Input goes in as an argument, so it must be short (128 KiB); a container's two outputs come as one where
 * the caller wants a line each.
 */
export function runOnHostOrInImage(run: RunCommand, engine: ProgramEngine, image: string): RunCommand {
  return async (file, args, options = {}) => {
    try {
      return await run(file, args, options);
    } catch (error) {
      if (!isHyperupError(error, 'NotFound')) throw error;
      const inside = await runInImage(engine, image, file, args, options.stdin).catch(() => undefined);
      // Neither here nor there: what the host said counts.
      if (inside === undefined || inside.exitCode === notFound) throw error;
      return inside;
    }
  };
}

/** A shell's exit code for a program that isn't there. */
const notFound = 127;

async function runInImage(
  engine: ProgramEngine,
  image: string,
  file: string,
  args: readonly string[],
  stdin = '',
): Promise<CommandResult> {
  const id = await engine.createContainer({
    name: `hyperup-run-${process.pid}-${Math.random().toString(36).slice(2, 8)}`,
    image,
    entrypoint: [],
    command: ['sh', '-c', 'input=$1; shift; printf %s "$input" | "$@"', 'sh', stdin, file, ...args],
    labels: { [managedLabel]: 'true', [roleLabel]: 'run' },
    networkMode: 'host',
    privileged: true,
  });
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  try {
    await engine.startContainer(id);
    const exitCode = await engine.waitContainer(id);
    await engine.followLogs(id, (line, stream) => lines[stream].push(line), { tail: 1_000_000 });
    const command = [file, ...args].join(' ');
    return { command, exitCode, stdout: lines.stdout.join('\n'), stderr: lines.stderr.join('\n') };
  } finally {
    await engine.removeContainer(id, { force: true });
  }
}
