import { HyperupError } from '../base/errors.js';
import { statusError } from './api-errors.js';
import type { ApiStream } from './api-transport.js';
import { splitLines } from './json-lines.js';

/** One change of a watched collection. A bookmark's object has nothing but a resourceVersion. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

/**
 * Reads a watch's answer, one JSON object a line. Ends where the server ends it; throws on an ERROR event (a 410 makes
 * `isExpired` true), a broken connection, a line cut short, a deadline and an abort. Ends the stream in every case.
 */
export async function* readWatchEvents<T>(action: string, stream: ApiStream): AsyncGenerator<WatchEvent<T>> {
  try {
    for await (const line of splitLines(stream.body)) {
      if (line.text === '') continue;
      const event = parseEvent(action, line);
      if (event.type === 'ERROR') {
        const status = event.object;
        const code = typeof status === 'object' && status !== null && 'code' in status ? Number(status.code) : 500;
        throw statusError(action, code, JSON.stringify(status));
      }
      yield event as WatchEvent<T>;
    }
  } catch (error) {
    throw stream.failure(error);
  } finally {
    stream.end();
  }
}

function parseEvent(action: string, line: { text: string; ended: boolean }): { type: string; object: unknown } {
  try {
    const event: unknown = JSON.parse(line.text);
    if (typeof event === 'object' && event !== null && 'type' in event && 'object' in event) {
      return { type: String(event.type), object: event.object };
    }
  } catch (error) {
    if (line.ended) throw malformed(action, line.text, error);
  }
  if (line.ended) throw malformed(action, line.text, undefined);
  throw new HyperupError('ApiFailed', `${action}: the connection ended inside an event`, {
    details: { reason: 'Unreachable' },
  });
}

function malformed(action: string, text: string, cause: unknown): HyperupError {
  return new HyperupError('ApiFailed', `${action}: got ${JSON.stringify(text.slice(0, 80))}, want a watch event`, {
    cause,
    details: { reason: 'Malformed' },
  });
}
