import { constants } from 'node:os';
import { errnoOf, HyperupError } from '../base/errors.js';
import type { RunCommand } from '../base/run-command.js';
import { missingProgram, notStarted, timedOut } from './run-failures.js';

/** How long a program may run where the caller doesn't say, milliseconds. */
export const defaultTimeoutMs = 60_000;

/** What a program that was ended by a signal has left in its pipes is read within this, milliseconds. */
const pipeGraceMs = 500;

/**
 * Runs a program over execa, without a shell, in the C locale so that its messages are the ones we know.
 * stdout and stderr come without their last newline. `onLine` sees both as they arrive.
 * Fails with `NotFound` when the program isn't there, `Timeout`, `Aborted`, `PermissionDenied`;
 * a program ended by a signal gives 128 + its number, as in a shell, and says so at the end of stderr.
 */
export const runCommand: RunCommand = async (file, args, options = {}) => {
  const { stdin, timeoutMs = defaultTimeoutMs, signal, env, onLine } = options;
  const command = [file, ...args].join(' ');
  // Many verbs run no program, and it takes its time to load.
  const { execa } = await import('execa');
  const subprocess = execa(file, args, {
    reject: false,
    all: true,
    timeout: timeoutMs,
    env: { LC_ALL: 'C', ...env },
    ...(stdin === undefined ? { stdin: 'ignore' as const } : { input: stdin }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  // What the program has started may outlive it and keep its pipes open, which would hold us for as long.
  subprocess.once('exit', (_code, endedBy) => {
    if (endedBy === null) return;
    setTimeout(() => {
      subprocess.stdout?.destroy();
      subprocess.stderr?.destroy();
    }, pipeGraceMs).unref();
  });
  if (onLine) {
    try {
      for await (const line of subprocess.iterable({ from: 'all' })) onLine(line);
    } catch {
      // The outcome below carries the failure.
    }
  }
  const result = await subprocess;
  const { exitCode, stdout, stderr } = result;
  if (exitCode !== undefined) return { command, exitCode, stdout, stderr };
  if (result.timedOut) {
    throw timedOut(command, timeoutMs, stderr);
  }
  if (result.isCanceled) throw new HyperupError('Aborted', `run ${command}: interrupted`, { cause: signal?.reason });
  if (result.signal !== undefined) {
    const exitCode = 128 + constants.signals[result.signal];
    return { command, exitCode, stdout, stderr: `${stderr}\nended by ${result.signal}`.trimStart() };
  }
  const errno = errnoOf(result);
  if (errno === 'ENOENT') {
    throw missingProgram(command, file, result);
  }
  throw notStarted(command, errno, result.originalMessage, result);
};
