import { isHyperupError } from '../base/errors.js';

/** What the process ends with. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The exit code that an error calls for. */
export function exitCodeOf(error: unknown): number {
  if (isHyperupError(error, 'Aborted')) return exitCodes.interrupted;
  if (isHyperupError(error, 'Usage') || isHyperupError(error, 'InvalidConfig')) return exitCodes.usage;
  return exitCodes.failed;
}
