import { type ErrorCode, errnoOf, HyperupError, messageOf } from '../base/errors.js';
import { type EnginePhrase, findPhrase } from './phrases.js';

type Scope = EnginePhrase['scope'];

const codeByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'EngineFailed',
  401: 'PermissionDenied',
  403: 'PermissionDenied',
  404: 'NotFound',
  409: 'Conflict',
};

/** errno names and Node's own codes for a connection that was refused, lost or never made. */
const connectionFaults: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_EOF_STATE',
]);

export const engineGoneHint =
  'The Docker Engine stopped or was restarted meanwhile. See that it runs (`hyperup engine status`), then run the command again.';

/** An answer of the engine with a status of 400 or more. `details.status` keeps the status. */
export function answerError(action: string, status: number, message: string, scope: Scope = 'any'): HyperupError {
  const text = message.trim() || `HTTP ${status}`;
  const phrase = findPhrase(text, scope);
  const code = phrase?.code ?? codeByStatus[status] ?? 'EngineFailed';
  return new HyperupError(code, `${action}: ${text}`, {
    details: { status },
    ...(phrase?.hint ? { hint: phrase.hint } : {}),
  });
}

/** An error that the engine reported inside a stream that it had begun with status 200. */
export function inBandError(action: string, message: string, fallback: ErrorCode, scope: Scope): HyperupError {
  const phrase = findPhrase(message, scope);
  return new HyperupError(phrase?.code ?? fallback, `${action}: ${message.trim()}`, {
    ...(phrase?.hint ? { hint: phrase.hint } : {}),
  });
}

/** True for what a socket says when nobody answers at the other end, or nobody does any more. */
export function isConnectionFault(error: unknown): boolean {
  const errno = errnoOf(error);
  if (errno !== undefined && connectionFaults.has(errno)) return true;
  return error instanceof Error && /^(aborted|socket hang up)$/.test(error.message);
}

/** A failure below HTTP: the engine can't be reached any more, or this is a fault of the caller's own stream. */
export function transportError(action: string, endpoint: string, error: unknown): HyperupError {
  if (error instanceof HyperupError) return error;
  if (!isConnectionFault(error) && errnoOf(error) !== 'EACCES') {
    return new HyperupError('EngineFailed', `${action}: ${messageOf(error)}`, { cause: error });
  }
  return new HyperupError('EngineUnreachable', `${action}: no connection to ${endpoint}: ${messageOf(error)}`, {
    cause: error,
    hint: engineGoneHint,
    details: { endpoint },
  });
}
