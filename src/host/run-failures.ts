import { HyperupError } from '../base/errors.js';

/** There is no such program on this machine. */
export function missingProgram(command: string, file: string, cause?: unknown): HyperupError {
  return new HyperupError('NotFound', `run ${command}: there is no program ${file}`, {
    hint: `Install the package that brings ${file}, or put it on the PATH.`,
    details: { command, file },
    cause,
  });
}

export function timedOut(command: string, timeoutMs: number, output = ''): HyperupError {
  return new HyperupError('Timeout', `run ${command}: not finished after ${Math.round(timeoutMs / 1000)} s`, {
    details: { command, timeoutMs },
    output,
  });
}

/** It is there and could not be started; by the system's word for it. */
export function notStarted(command: string, errno: string | undefined, why?: string, cause?: unknown): HyperupError {
  return new HyperupError(
    errno === 'EACCES' || errno === 'EPERM' ? 'PermissionDenied' : 'HostChangeFailed',
    `run ${command}: could not be started: ${why ?? errno ?? 'unknown reason'}`,
    { details: { command, errno }, cause },
  );
}
