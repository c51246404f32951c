import { type ErrorCode, HyperupError, isHyperupError } from '../base/errors.js';
import type { FailureKind } from './types.js';

export interface RegistryErrorFacts {
  /** Whom the caller asked, as references say it. */
  readonly host: string;
  readonly status?: number | undefined;
  /** The code of the registry's own error, such as `DIGEST_INVALID`. */
  readonly said?: string | undefined;
  /** How long the registry wants to be left alone, milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The errno or OpenSSL code behind it. */
  readonly errno?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

const codes: Partial<Record<FailureKind, ErrorCode>> = {
  timeout: 'Timeout',
  notFound: 'NotFound',
  login: 'PermissionDenied',
  digest: 'DigestMismatch',
};

const kinds: ReadonlySet<unknown> = new Set<FailureKind>([
  'dns',
  'refused',
  'unreachable',
  'timeout',
  'broken',
  'tls',
  'proxy',
  'notRegistry',
  'notFound',
  'login',
  'rateLimited',
  'status',
  'digest',
]);

/** A registry's failure: the code follows from the kind, and `details` carry `{ kind, host, status }`. */
export function registryError(kind: FailureKind, message: string, facts: RegistryErrorFacts): HyperupError {
  const { host, status, said, retryAfterMs, errno, hint, cause } = facts;
  return new HyperupError(codes[kind] ?? 'RegistryFailed', message, {
    details: { kind, host, status, said, retryAfterMs, errno },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What kind of failure an error of this room stands for; undefined for any other error. */
export function failureKindOf(error: unknown): FailureKind | undefined {
  const kind: unknown = isHyperupError(error) ? error.details['kind'] : undefined;
  return isFailureKind(kind) ? kind : undefined;
}

function isFailureKind(value: unknown): value is FailureKind {
  return kinds.has(value);
}
