import type { Operation } from '../base/operation.js';
import type { ProgressEvent } from '../base/progress.js';
import type { RunContext } from '../provision/runtime.js';
import { eventLines } from './event-lines.js';
import { printNote, writeJson } from './output.js';
import type { Session } from './session.js';

/**
 * Runs an operation to its end and shows its progress: events with `--json`, plain lines off a terminal. On a terminal
 * the operation draws its own list, so that only its notes are printed, below the list. A stop signal aborts it.
 */
export async function runOperation<T>(session: Session, start: (run: RunContext) => Operation<T>): Promise<T> {
  const operation = start(session.run);
  const abort = () => operation.abort(session.signal.reason);
  if (session.signal.aborted) abort();
  session.signal.addEventListener('abort', abort, { once: true });
  const lineOf = eventLines({ color: session.color.err, verbose: session.verbose });
  const notes: Extract<ProgressEvent, { readonly type: 'note' }>[] = [];
  try {
    for await (const event of operation) {
      if (session.json) {
        if (!session.quiet) writeJson(session, event);
      } else if (session.run.renderer === 'default' || session.quiet) {
        if (event.type === 'note') notes.push(event);
      } else {
        const line = lineOf(event);
        if (line !== undefined) session.io.writeErr(`${line}\n`);
      }
    }
    return await operation.result;
  } finally {
    session.signal.removeEventListener('abort', abort);
    for (const note of notes) printNote(session, note);
  }
}
