import type { Operation } from '../base/operation.js';
import type { RunContext } from '../provision/runtime.js';
import { eventLines } from './event-lines.js';
import { printNote, writeJson } from './output.js';
import type { Session } from './session.js';

/**
 * Runs an operation that may go on for days: its events are printed as they come, a line each, on a terminal too, and
 * none is kept. `--quiet` leaves warnings and failures. A stop signal aborts it.
 */
export async function runLines<T>(session: Session, start: (run: RunContext) => Operation<T>): Promise<T> {
  const { io, signal, json, quiet } = session;
  const operation = start({ ...session.run, renderer: 'silent' });
  const abort = () => operation.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const lineOf = eventLines({ color: session.color.err, verbose: session.verbose });
  try {
    for await (const event of operation) {
      const isFault =
        (event.type === 'note' && event.level === 'warn') || (event.type === 'step' && event.state === 'failed');
      if (quiet && !isFault) continue;
      if (json) writeJson(session, event);
      else if (event.type === 'note') printNote(session, event);
      else {
        const line = lineOf(event);
        if (line !== undefined) io.writeErr(`${line}\n`);
      }
    }
    return await operation.result;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
