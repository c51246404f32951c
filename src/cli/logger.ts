import { type LevelWithSilent, type Logger as Pino, pino } from 'pino';
import type { LogFields, Logger } from '../base/logger.js';

/** Fields whose values never reach a log, whoever passes them. */
const secretFields = ['password', 'token', 'key', 'privateKey', 'auth', 'kubeconfig'];

/**
 * A logger on pino. With `json` each line is an object, else `level message field=value`.
 *
 * @param write takes whole lines, newline included
 */
export function createLogger(options: {
  readonly level: LevelWithSilent;
  readonly json: boolean;
  readonly write: (line: string) => void;
}): Logger {
  const { level, json, write } = options;
  const redact = { paths: [...secretFields, ...secretFields.map((field) => `*.${field}`)], censor: '[hidden]' };
  const destination = { write: (line: string) => write(json ? line : formatLine(line)) };
  const formatters = { level: (label: string) => ({ level: label }) };
  return wrap(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact, formatters }, destination));
}

function wrap(target: Pino): Logger {
  return {
    debug: (message, fields = {}) => target.debug(fields, message),
    info: (message, fields = {}) => target.info(fields, message),
    warn: (message, fields = {}) => target.warn(fields, message),
    error: (message, fields = {}) => target.error(fields, message),
    child: (fields) => wrap(target.child(fields)),
  };
}

function formatLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as LogFields;
  const pairs = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${pairs.join('')}\n`;
}
