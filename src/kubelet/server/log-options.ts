import { HttpFault } from './http-fault.js';
import { type LogTime, logTimeOf, logTimeOfMs } from './log-record.js';

/** What a client wants of a container's log. */
export interface ContainerLogRequest {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Records from the end; all where undefined. */
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** Records of an earlier time are left out. */
  readonly since: LogTime | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

/**
 * Reads the query of /containerLogs. Throws an HttpFault 400 for what can't be read, 422 for what makes no sense.
 * Source: server.go getContainerLogs, ValidatePodLogOptions, v1.20; `stream` as of v1.32.
 */
export function logRequestOf(query: URLSearchParams, nowMs: number): ContainerLogRequest {
  const tail = query.get('tail') ?? '';
  const tailLines = tail === 'all' ? undefined : (numberOf(tail) ?? numberOf(query.get('tailLines')));
  const limitBytes = numberOf(query.get('limitBytes'));
  const sinceSeconds = numberOf(query.get('sinceSeconds'));
  const sinceText = query.get('sinceTime') ?? '';
  const sinceTime = sinceText === '' ? undefined : logTimeOf(sinceText);
  if (sinceText !== '' && sinceTime === undefined) throw undecodable();
  const invalid =
    (tailLines !== undefined && tailLines < 0) ||
    (limitBytes !== undefined && limitBytes < 1) ||
    (sinceSeconds !== undefined && sinceSeconds < 1) ||
    (sinceSeconds !== undefined && sinceTime !== undefined);
  if (invalid) throw new HttpFault(422, '{"message": "Invalid request."}');
  return {
    follow: truthOf(query.get('follow')),
    previous: truthOf(query.get('previous')),
    timestamps: truthOf(query.get('timestamps')),
    tailLines,
    limitBytes,
    since: sinceSeconds === undefined ? sinceTime : logTimeOfMs(nowMs - sinceSeconds * 1000),
    stream: streamOf(query.get('stream')),
  };
}

/** As the API's parameters have it: anything but nothing, `0` and `false` is true. */
function truthOf(text: string | null): boolean {
  return text !== null && text !== '' && text !== '0' && text.toLowerCase() !== 'false';
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw undecodable();
  return value;
}

function streamOf(text: string | null): 'stdout' | 'stderr' | undefined {
  if (text === 'Stdout') return 'stdout';
  return text === 'Stderr' ? 'stderr' : undefined;
}

function undecodable(): HttpFault {
  return new HttpFault(400, '{"message": "Unable to decode query."}');
}
