import { HyperupError, isHyperupError, messageOf } from '../../base/errors.js';

/** What went wrong with an origin, and whether asking it again can help. */
export interface OriginFault {
  readonly message: string;
  /** It won't get better within this blob. */
  readonly final: boolean;
  /** It served something else than the blob. */
  readonly lied: boolean;
  /** It wants fewer requests. */
  readonly limited: boolean;
  /** It cost a time limit, so that fewer of its kind are borne. */
  readonly slow: boolean;
  /** How long it wants to be left alone, milliseconds. */
  readonly retryAfterMs: number | undefined;
}

const finalKinds: ReadonlySet<unknown> = new Set(['notFound', 'login', 'notRegistry', 'tls', 'digest']);

/** Reads a failure of an origin's `open` or of a body. */
export function originFault(error: unknown): OriginFault {
  const kind = error instanceof HyperupError ? error.details['kind'] : undefined;
  const status = error instanceof HyperupError ? error.details['status'] : undefined;
  const retryAfterMs = error instanceof HyperupError ? error.details['retryAfterMs'] : undefined;
  const refused = typeof status === 'number' && status >= 400 && status < 500 && status !== 408 && status !== 429;
  const lied = isHyperupError(error, 'DigestMismatch') || kind === 'digest';
  return {
    message: messageOf(error),
    final:
      lied ||
      finalKinds.has(kind) ||
      refused ||
      isHyperupError(error, 'NotFound') ||
      isHyperupError(error, 'PermissionDenied'),
    lied,
    limited: kind === 'rateLimited' || status === 429,
    slow: kind === 'timeout' || isHyperupError(error, 'Timeout'),
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
  };
}

/** A fault that the fetcher itself finds. */
export function foundFault(message: string, what: Partial<Omit<OriginFault, 'message'>> = {}): OriginFault {
  return { message, final: false, lied: false, limited: false, slow: false, retryAfterMs: undefined, ...what };
}
