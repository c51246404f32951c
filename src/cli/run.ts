import { CommanderError } from 'commander';
import { HyperupError } from '../base/errors.js';
import { silentLogger } from '../base/logger.js';
import { environmentValue } from '../config/environment.js';
import { errorAsJson, formatError } from './error-report.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { writeJson } from './output.js';
import { buildProgram, isQuietExit } from './program.js';
import type { Action, CliDependencies, Invocation, Session } from './session.js';
import { watchStopSignals } from './signals.js';

/**
 * Runs one command line, without the program's name, and gives the exit code: 0 done, 1 failed, 2 usage,
 * 130 interrupted. Never throws.
 */
export async function runCli(argv: readonly string[], dependencies: CliDependencies): Promise<number> {
  const { io } = dependencies;
  let exitCode: number = exitCodes.done;
  const program = buildProgram({
    argv,
    version: dependencies.version,
    writeOut: io.writeOut,
    writeErr: io.writeErr,
    execute: async (invocation, load) => {
      exitCode = await execute(invocation, load, dependencies);
    },
  });
  for (const command of [program, ...program.commands, ...program.commands.flatMap((group) => group.commands)]) {
    command.exitOverride();
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && isQuietExit(error)) return exitCodes.done;
    // A bare `hyperup` or `hyperup images` has been answered with its help.
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage;
    return reportError(usageError(error), 'hyperup', dependencies, {
      json: argv.includes('--json'),
      verbose: false,
      color: false,
    });
  }
}

/** A fault of the command line in hyperup's terms. */
function usageError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  return new HyperupError('Usage', error.message.replace(/^error: /, ''), {
    hint: '"hyperup --help" lists the verbs, "hyperup VERB --help" their flags.',
  });
}

async function execute(
  invocation: Invocation,
  load: () => Promise<Action>,
  dependencies: CliDependencies,
): Promise<number> {
  const { io, env } = dependencies;
  const { color: colorOption } = invocation.options;
  const isSet = (name: string) => invocation.options[name] === true;
  const [json, verbose, quiet] = [isSet('json'), isSet('verbose'), isSet('quiet')];
  const allowed = colorOption !== false && environmentValue(env, 'NO_COLOR') === undefined && !json;
  const isDumb = environmentValue(env, 'TERM') === 'dumb';
  const color = { out: allowed && io.stdoutIsTty && !isDumb, err: allowed && io.stderrIsTty && !isDumb };
  const style = { json, verbose, color: color.err };
  const watch = watchStopSignals(io, (text) => {
    if (json) writeJson({ io }, { type: 'note', level: 'warn', message: text });
    else io.writeErr(`\n${text}\n`);
  });
  try {
    if (verbose && quiet) throw new HyperupError('Usage', 'check options: --verbose and --quiet: choose one');
    const logger = verbose
      ? (await import('./logger.js')).createLogger({ level: 'debug', json, write: io.writeErr })
      : silentLogger;
    // The live list needs a terminal to redraw on, and nobody else writing to it.
    const isLive = io.stdoutIsTty && io.stderrIsTty && !isDumb && !json && !quiet && !verbose;
    const run = { logger, renderer: isLive ? 'default' : 'silent', signal: watch.signal } as const;
    const session: Session = {
      dependencies,
      io,
      invocation,
      json,
      quiet,
      verbose,
      color,
      logger,
      signal: watch.signal,
      run,
      describeStop: watch.describe,
    };
    const action = await load();
    const exitCode = await action(session);
    return watch.signal.aborted && exitCode !== exitCodes.done ? exitCodes.interrupted : exitCode;
  } catch (error) {
    // What Node throws at an aborted wait says less than the reason for it.
    const isPlainAbort = watch.signal.aborted && error instanceof Error && error.name === 'AbortError';
    const shown = isPlainAbort ? watch.signal.reason : error;
    return reportError(shown, invocation.verb, dependencies, style, watch.signal.aborted);
  } finally {
    watch.close();
  }
}

function reportError(
  error: unknown,
  verb: string,
  { io }: CliDependencies,
  style: { readonly json: boolean; readonly verbose: boolean; readonly color: boolean },
  interrupted = false,
): number {
  const exitCode = interrupted ? exitCodes.interrupted : exitCodeOf(error);
  if (style.json) {
    writeJson({ io }, { type: 'result', verb, ok: false, exitCode, error: errorAsJson(error, style.verbose) });
  } else io.writeErr(formatError(error, style));
  return exitCode;
}
