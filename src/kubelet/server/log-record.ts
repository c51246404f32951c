/** UTC with nine digits of a second, `2006-01-02T15:04:05.000000000Z`: such times compare as texts. */
export type LogTime = string & { readonly brand?: 'LogTime' };

/** One record of a json-file log; `text` ends in a newline unless it is a part of a long line. */
export interface LogRecord {
  readonly text: string;
  readonly stream: string;
  readonly time: LogTime;
}

/** Undefined for what isn't RFC 3339. Pure. */
export function logTimeOf(text: string): LogTime | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [, seconds = '', fraction = '', zone = ''] = match;
  const whole = zone === 'Z' ? seconds : inUtc(`${seconds}${zone}`);
  return whole === undefined ? undefined : `${whole}.${fraction.padEnd(9, '0')}Z`;
}

export function logTimeOfMs(ms: number): LogTime {
  return `${new Date(ms).toISOString().slice(0, -1)}000000Z`;
}

/** Undefined for a line that is none of Docker's records. Pure. */
export function parseLogRecord(line: string): LogRecord | undefined {
  try {
    const record = JSON.parse(line) as { log?: unknown; stream?: unknown; time?: unknown };
    const time = typeof record.time === 'string' ? logTimeOf(record.time) : undefined;
    if (time === undefined) return undefined;
    const text = typeof record.log === 'string' ? record.log : '';
    return { text, stream: typeof record.stream === 'string' ? record.stream : '', time };
  } catch {
    return undefined;
  }
}

function inUtc(text: string): string | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().slice(0, 19);
}
