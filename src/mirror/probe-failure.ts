import { errnoOf, HyperupError, isHyperupError, messageOf } from '../base/errors.js';

/** Why a registry did not show an image's manifest, as a closed set. */
export type ProbeFailureKind =
  | 'dns'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'tls'
  | 'broken'
  | 'status'
  | 'notRegistry'
  | 'login'
  | 'notFound'
  | 'platform'
  | 'digest';

export interface ProbeFailure {
  readonly ok: false;
  readonly kind: ProbeFailureKind;
  readonly reason: string;
  /** True where the registry as a whole failed, so that asking it for another image is in vain. */
  readonly wholeHost: boolean;
}

const networkKinds: Readonly<Record<string, ProbeFailureKind>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_NODATA: 'dns',
  ECONNREFUSED: 'refused',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ECONNRESET: 'broken',
  EPIPE: 'broken',
  UND_ERR_SOCKET: 'broken',
};

const certificateErrors: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an authority that is not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority that is not trusted here',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  CERT_HAS_EXPIRED: 'its certificate has expired (or this clock is wrong)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (is this clock right?)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** Makes a failure; by default one of this image only. */
export function probeFailure(kind: ProbeFailureKind, reason: string, wholeHost = false): ProbeFailure {
  return { ok: false, kind, reason, wholeHost };
}

/**
 * What a thrown network error means for `host`. `certificate` names who signed what was shown, which tells a user
 * that a proxy or a firewall answered in the registry's place.
 */
export function networkFailure(error: unknown, host: string, timeoutMs: number, certificate?: string): ProbeFailure {
  const seconds = `${timeoutMs / 1000} s`;
  if (isHyperupError(error, 'Timeout'))
    return probeFailure('timeout', `${host} gave no answer within ${seconds}`, true);
  const root = rootOf(error);
  const code = errnoOf(root) ?? '';
  const trust = certificateErrors[code];
  if (trust) return probeFailure('tls', `${host}: ${trust}${certificate ? ` (${certificate})` : ''}`, true);
  if (/^(?:ERR_SSL|ERR_TLS|EPROTO|CERT_)/.test(code) || /\b(?:SSL|TLS)\b/.test(messageOf(root))) {
    const plain = /wrong version number|packet length too long/i.test(messageOf(root));
    return probeFailure(
      'tls',
      plain
        ? `${host} does not speak TLS (it is plain HTTP)`
        : `${host}: TLS handshake failed: ${opensslReason(messageOf(root))}`,
      true,
    );
  }
  const kind = networkKinds[code] ?? 'broken';
  const reasons: Partial<Record<ProbeFailureKind, string>> = {
    dns: `the name ${host.replace(/:\d+$/, '')} does not resolve (${code})`,
    refused: `${host} refused the connection`,
    unreachable: `${host} is unreachable (${code})`,
    timeout: `${host} gave no answer within ${seconds}`,
    broken: `${host} broke the connection off: ${messageOf(root)}`,
  };
  return probeFailure(kind, reasons[kind] ?? messageOf(root), true);
}

/** Thrown inside the probe when its time is up, so that it can be told from the caller's abort. */
export function probeTimeout(host: string): HyperupError {
  return new HyperupError('Timeout', `ask ${host}: no answer in time`);
}

/** undici and Node wrap what happened: a `cause`, or one error an address that was tried. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (error instanceof Error && error.cause !== undefined && errnoOf(error.cause) !== undefined) {
    return rootOf(error.cause);
  }
  return error;
}

/** OpenSSL's messages name library, function and source line around the one part that says something. */
function opensslReason(message: string): string {
  return /SSL routines:[^:]*:([^:\n]+)/.exec(message)?.[1] ?? message;
}
