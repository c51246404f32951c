import { HyperupError, messageOf } from '../base/errors.js';
import { painter } from './paint.js';

/** The messages of an error's causes, outermost first; one that an earlier message already holds is left out. */
export function causeChain(error: unknown): readonly string[] {
  const shown = [messageOf(error)];
  const seen = new Set<unknown>([error]);
  const visit = (cause: unknown) => {
    if (cause === undefined || cause === null || seen.has(cause)) return;
    seen.add(cause);
    const message = messageOf(cause);
    if (message !== '' && !shown.some((earlier) => earlier.includes(message))) shown.push(message);
    if (cause instanceof AggregateError) cause.errors.forEach(visit);
    if (cause instanceof Error) visit(cause.cause);
  };
  if (error instanceof AggregateError) error.errors.forEach(visit);
  if (error instanceof Error) visit(error.cause);
  return shown.slice(1);
}

const bugHint = 'This is a fault of hyperup itself: please report it with the output of the same command and -v.';

/** An error for people: what failed, why, what was captured, what to do; the stack where `verbose`. */
export function formatError(error: unknown, options: { readonly verbose: boolean; readonly color: boolean }): string {
  const paint = painter(options.color);
  const known = error instanceof HyperupError ? error : undefined;
  const lines = [`${paint('red', 'error:')} ${messageOf(error)}`];
  for (const cause of causeChain(error)) lines.push(`  caused by: ${cause.replaceAll('\n', '\n    ')}`);
  const output = known?.output?.trimEnd();
  if (output) lines.push('output:', ...output.split('\n').map((line) => `  | ${line}`));
  const hint = known === undefined || known.code === 'Internal' ? (known?.hint ?? bugHint) : known.hint;
  if (hint !== undefined) lines.push(`${paint('yellow', 'hint:')} ${hint}`);
  if (options.verbose && error instanceof Error && error.stack !== undefined) lines.push(paint('dim', error.stack));
  return `${lines.join('\n')}\n`;
}

/** The same as data, for `--json`. */
export function errorAsJson(error: unknown, verbose: boolean): Readonly<Record<string, unknown>> {
  const known = error instanceof HyperupError ? error : undefined;
  return {
    code: known?.code ?? 'Internal',
    message: messageOf(error),
    hint: known === undefined ? bugHint : known.hint,
    details: known?.details ?? {},
    causes: causeChain(error),
    output: known?.output,
    stack: verbose && error instanceof Error ? error.stack : undefined,
  };
}
