import type { Operation } from '../base/operation.js';
import type { RunContext } from '../provision/runtime.js';
import { printNote } from './output.js';
import { runOperation } from './run-operation.js';
import type { Session } from './session.js';
import { makeTransferLine } from './transfer-line.js';

/**
 * Runs an operation that moves images. On a terminal one line shows how far it is and goes when it ends; elsewhere as
 * `runOperation`. A stop signal aborts it.
 */
export async function runTransfer<T>(session: Session, start: (run: RunContext) => Operation<T>): Promise<T> {
  if (session.run.renderer !== 'default') return await runOperation(session, start);
  const { io, signal } = session;
  const operation = start(session.run);
  const line = makeTransferLine(io.writeErr, () => io.columns?.() ?? 80);
  const abort = () => operation.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const event of operation) {
      if (event.type === 'transfer') line.draw(event);
      else if (event.type === 'note') {
        line.clear();
        printNote(session, event);
      }
    }
    return await operation.result;
  } finally {
    line.clear();
    signal.removeEventListener('abort', abort);
  }
}
