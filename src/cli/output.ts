import type { ProgressEvent } from '../base/progress.js';
import type { Session } from './session.js';

/** One JSON value a line, on stdout. Undefined fields fall out. */
export function writeJson(session: Pick<Session, 'io'>, value: object): void {
  session.io.writeOut(`${JSON.stringify(value)}\n`);
}

/**
 * Prints a verb's result: with `--json` as the final line `{"type":"result",…}`, else the text. `ok` says whether the
 * exit code will be 0.
 */
export function printResult(session: Session, result: unknown, text: () => string, ok = true): void {
  if (session.json) {
    writeJson(session, { type: 'result', verb: session.invocation.verb, ok, result });
    return;
  }
  const lines = text();
  if (lines !== '') session.io.writeOut(lines.endsWith('\n') ? lines : `${lines}\n`);
}

/** A remark beside the result: stderr, or an event with `--json`. Information (not warnings) is dropped by `--quiet`. */
export function printNote(session: Session, note: Extract<ProgressEvent, { readonly type: 'note' }>): void {
  if (session.quiet && note.level === 'info') return;
  if (session.json) writeJson(session, note);
  else session.io.writeErr(`${formatNote(note)}\n`);
}

/** `warning: …` with its hint on a second line. */
export function formatNote(note: Extract<ProgressEvent, { readonly type: 'note' }>): string {
  const head = `${note.level === 'warn' ? 'warning' : 'note'}: ${note.message}`;
  return note.hint === undefined ? head : `${head}\n  ${note.hint}`;
}
