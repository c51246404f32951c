import { HyperupError } from '../base/errors.js';
import { engineGoneHint } from './errors.js';
import { makeLineSplitter } from './lines.js';
import type { ContainerEvent } from './runtime-types.js';
import { streamError } from './stream-errors.js';
import { shortCallMs, type Transport } from './transport.js';

/** An event of `GET /events` that is about a container, as far as it is read. */
interface WireEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> | null };
  readonly time?: number;
  readonly timeNano?: number;
}

/** What changes a container's state. Named to the engine, so that each probe's exec doesn't send three events. */
const actions = ['create', 'start', 'die', 'oom', 'pause', 'unpause', 'destroy'];

/**
 * Events of containers that bear every label, from the first `next()` on. Events between two connections are lost: the
 * caller relists. Throws `Aborted` by the signal and `EngineUnreachable` when the engine ends the stream, however politely.
 */
export async function* containerEvents(
  transport: Transport,
  labels: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<ContainerEvent> {
  const action = 'watch container events';
  const response = await transport.open({
    action,
    method: 'GET',
    path: '/events',
    query: { filters: JSON.stringify({ type: ['container'], event: actions, label: labels }) },
    timeoutMs: shortCallMs,
    signal,
  });
  const splitter = makeLineSplitter();
  try {
    for await (const chunk of response) {
      for (const line of splitter.push(chunk as Buffer)) if (line.trim() !== '') yield toEvent(line);
    }
  } catch (error) {
    throw streamError(action, transport, error, signal);
  } finally {
    response.destroy();
  }
  if (signal.aborted) throw streamError(action, transport, undefined, signal);
  throw new HyperupError('EngineUnreachable', `${action}: the engine ended the stream`, { hint: engineGoneHint });
}

function toEvent(line: string): ContainerEvent {
  const { Action: action = '', Actor: actor, time = 0, timeNano } = JSON.parse(line) as WireEvent;
  return {
    id: actor?.ID ?? '',
    action,
    // The image's name and the container's are among them; labels of Kubernetes' have a domain, so nothing is hidden.
    labels: actor?.Attributes ?? {},
    timeMs: timeNano === undefined ? time * 1000 : Math.floor(timeNano / 1e6),
  };
}
