import type { IncomingMessage } from 'node:http';
import { HyperupError } from '../base/errors.js';
import type { WireContainerDetails } from './container-wire.js';
import { makeDemultiplexer } from './demultiplex.js';
import { makeLineSplitter } from './lines.js';
import { pathOf } from './reference-parts.js';
import { consume } from './stream-errors.js';
import { shortCallMs, type Transport } from './transport.js';

type OnLine = (line: string, stream: 'stdout' | 'stderr') => void;

export interface LogOptions {
  readonly follow: boolean;
  /** Lines from the end to begin with; undefined: all. */
  readonly tail?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a container's log line by line, in order of arrival. Without `follow` under the time limit of short calls.
 * Errors: `NotFound`, `EngineUnreachable`, `EngineFailed` (a logging driver that can't be read); `Aborted`.
 */
export async function readLogs(transport: Transport, id: string, onLine: OnLine, options: LogOptions): Promise<void> {
  const action = `read the log of container ${id}`;
  const path = `/containers/${pathOf(id)}`;
  // Only from API 1.42 on does the answer's header say whether it is framed.
  const { body } = await transport.call({ action, method: 'GET', path: `${path}/json`, signal: options.signal });
  const tty = (body as WireContainerDetails).Config.Tty ?? false;
  const response = await transport.open({
    action,
    method: 'GET',
    path: `${path}/logs`,
    query: { stdout: true, stderr: true, follow: options.follow, tail: options.tail ?? 'all' },
    timeoutMs: shortCallMs,
    signal: options.signal,
  });
  await consume(action, transport, response, [options.signal], () => splitOutput(response, tty, onLine));
}

/** Reads a stream of Docker's output to its end, line by line for each of its two streams. */
export async function splitOutput(response: IncomingMessage, tty: boolean, onLine: OnLine): Promise<void> {
  const demultiplexer = makeDemultiplexer(tty);
  const splitters = { stdout: makeLineSplitter(), stderr: makeLineSplitter() };
  for await (const chunk of response) {
    for (const { stream, data } of demultiplexer.push(chunk as Buffer)) {
      for (const line of splitters[stream].push(data)) onLine(line, stream);
    }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    for (const line of splitters[stream].end()) onLine(line, stream);
  }
  if (demultiplexer.partial) throw new HyperupError('EngineFailed', 'the output ended in the middle of a piece');
}
