import { type ErrorCode, errnoOf, HyperupError, messageOf } from '../base/errors.js';
import type { V1Status } from './objects.js';

const codeOfReason: Readonly<Record<string, ErrorCode>> = {
  NotFound: 'NotFound',
  AlreadyExists: 'AlreadyExists',
  Conflict: 'Conflict',
  Unauthorized: 'PermissionDenied',
  Forbidden: 'PermissionDenied',
  Timeout: 'Timeout',
  ServerTimeout: 'Timeout',
};

/** Where the answer is no Status (a proxy's, or "404 page not found"), the HTTP status says as much. */
const reasonOfStatus: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/**
 * A Status (or any unsuccessful answer) in hyperup's terms. `details` has reason, httpStatus, causes and
 * retryAfterSeconds as upstream names them (apimachinery v0.20 `meta/v1/types.go`).
 */
export function statusError(action: string, httpStatus: number, body: string): HyperupError {
  const status = parseStatus(body);
  const reason = status?.reason || reasonOfStatus[httpStatus] || 'Unknown';
  const message = status?.message || body.trim().slice(0, 500) || `HTTP ${httpStatus}`;
  return new HyperupError(codeOfReason[reason] ?? 'ApiFailed', `${action}: ${message}`, {
    details: {
      reason,
      httpStatus,
      causes: status?.details?.causes ?? [],
      ...(status?.details?.retryAfterSeconds ? { retryAfterSeconds: status.details.retryAfterSeconds } : {}),
    },
    ...(reason === 'Unauthorized'
      ? { hint: 'The API server does not know these credentials: are they of this cluster?' }
      : {}),
  });
}

function parseStatus(body: string): V1Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status'
      ? (value as V1Status)
      : undefined;
  } catch {
    return undefined;
  }
}

/** OpenSSL's and Node's names for a certificate that did not convince us. */
const certificateErrors =
  /^(CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS_CERT|INVALID_CA|HOSTNAME_MISMATCH)/;

/**
 * A failure to get any answer, in hyperup's terms: `Timeout` for a time limit, else `ApiFailed` with
 * `details.reason` `CertificateRejected`, `TlsFailed` or `Unreachable`.
 */
export function transportError(action: string, endpoint: string, error: unknown): HyperupError {
  if (error instanceof HyperupError) return error;
  const errno = rootCode(error);
  const text = `${action} at ${endpoint}: ${messageOf(error) || errno}`;
  const details = { endpoint, errno };
  if (/^UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT$/.test(errno) || errno === 'ETIMEDOUT') {
    return new HyperupError('Timeout', text, { cause: error, details: { ...details, reason: 'Timeout' } });
  }
  if (errno === 'UND_ERR_DESTROYED' || errno === 'UND_ERR_CLOSED') {
    return new HyperupError('Aborted', `${action}: the client was closed`, { cause: error, details });
  }
  if (certificateErrors.test(errno)) {
    return new HyperupError('ApiFailed', text, {
      cause: error,
      details: { ...details, reason: 'CertificateRejected' },
      hint: "The server's certificate is not of the expected authority, not for this name or not valid now; check the machine's clock too.",
    });
  }
  const reason = /^(ERR_SSL|ERR_TLS|EPROTO)/.test(errno) ? 'TlsFailed' : 'Unreachable';
  return new HyperupError('ApiFailed', text, { cause: error, details: { ...details, reason } });
}

function rootCode(error: unknown): string {
  const own = errnoOf(error);
  if (own !== undefined && own !== 'UND_ERR_SOCKET') return own;
  if (error instanceof AggregateError) return error.errors.map(rootCode).find((code) => code !== '') ?? '';
  const cause = error instanceof Error && error.cause !== undefined ? rootCode(error.cause) : '';
  return cause || (own ?? '');
}

/** The API server's own word for the failure (`Invalid`, `Expired`), or ours (`Unreachable`); undefined for other errors. */
export function reasonOf(error: unknown): string | undefined {
  return detailOf(error, 'reason');
}

/** One fact of an error's `details`, where it is text. */
export function detailOf(error: unknown, name: string): string | undefined {
  const detail = error instanceof HyperupError ? error.details[name] : undefined;
  return typeof detail === 'string' ? detail : undefined;
}

/** True where the server no longer has that resource version: list again, then watch from there. */
export function isExpired(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === 'Expired' || reason === 'Gone';
}

/** True where no answer came because nobody listens or the connection broke. */
export function isUnreachable(error: unknown): boolean {
  return reasonOf(error) === 'Unreachable';
}
