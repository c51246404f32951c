import { HyperupError } from '../base/errors.js';

/** One thing that is wrong, and whether the command line alone is to blame. */
export interface Fault {
  readonly message: string;
  readonly fromFlag: boolean;
}

/**
 * All faults as one error: `Usage` where every one is the command line's, else `InvalidConfig`. `details.faults` holds
 * them one by one.
 */
export function faultsError(faults: readonly Fault[]): HyperupError {
  const messages = faults.map((fault) => fault.message);
  const code = faults.every((fault) => fault.fromFlag) ? 'Usage' : 'InvalidConfig';
  const message =
    messages.length === 1
      ? `check options: ${messages.join('')}`
      : `check options: ${messages.length} faults\n${messages.map((text) => `  - ${text}`).join('\n')}`;
  return new HyperupError(code, message, {
    hint: 'hyperup install --help lists the flags; the README shows the config file.',
    details: { faults: messages },
  });
}

/** A value as a fault shows it: short, and quoted where it is text. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
