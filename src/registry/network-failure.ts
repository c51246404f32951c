import { errnoOf, isHyperupError, messageOf } from '../base/errors.js';
import { isLoopbackHost } from './proxy-choice.js';
import type { FailureKind } from './types.js';

/** A network error in words. */
export interface NetworkFailure {
  readonly kind: FailureKind;
  readonly reason: string;
  /** The errno or library code that it was told by. */
  readonly errno: string | undefined;
}

export interface NetworkFailureContext {
  /** `HOST[:PORT]` of what was being asked. */
  readonly host: string;
  /** The limit that a timeout stands for. */
  readonly timeoutMs: number;
  /** Who signed the certificate that was shown, as `certificateIssuer` says it. */
  readonly certificate?: string | undefined;
  /** The proxy on the way. */
  readonly proxy?: URL | undefined;
}

const networkKinds: Readonly<Record<string, FailureKind>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_NODATA: 'dns',
  EAI_FAIL: 'dns',
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

/** What a thrown network error means; behind a proxy, a failed connection is the proxy's. Pure. */
export function networkFailure(error: unknown, context: NetworkFailureContext): NetworkFailure {
  const { host, timeoutMs, certificate, proxy } = context;
  const root = rootOf(error);
  const errno = errnoOf(root);
  const code = errno ?? '';
  const text = messageOf(root);
  const failure = (kind: FailureKind, reason: string): NetworkFailure => ({ kind, reason, errno });
  const seconds = `${timeoutMs / 1000} s`;

  const denied =
    /Proxy response \((\d+)\)/.exec(text)?.[1] ?? /Proxy Authentication Required \((407)\)/.exec(text)?.[1];
  if (denied !== undefined) {
    const why = denied === '407' ? 'wants a login' : `refused to connect to ${host}`;
    return failure('proxy', `proxy ${proxy?.host ?? ''} ${why}: HTTP ${denied}`);
  }
  if (isHyperupError(error, 'Timeout')) return failure('timeout', `${host} gave no answer within ${seconds}`);
  const trust = certificateErrors[code];
  if (trust) return failure('tls', `${host}: ${trust}${certificate ? ` (${certificate})` : ''}`);
  if (/^(?:ERR_SSL|ERR_TLS|EPROTO|CERT_)/.test(code) || /\b(?:SSL|TLS)\b/.test(text)) {
    const plain = /wrong version number|packet length too long/i.test(text);
    return failure(
      'tls',
      plain ? `${host} does not speak TLS (it is plain HTTP)` : `${host}: TLS handshake failed: ${opensslReason(text)}`,
    );
  }
  const kind = networkKinds[code] ?? 'broken';
  const who = proxy && kind !== 'broken' ? `proxy ${proxy.host}` : host;
  const told = networkReason(kind, root, who, seconds);
  return failure(proxy && kind !== 'broken' && kind !== 'timeout' ? 'proxy' : kind, told);
}

function networkReason(kind: FailureKind, root: unknown, who: string, seconds: string): string {
  switch (kind) {
    case 'dns':
      return `the name ${who.replace(/:\d+$/, '')} does not resolve (${errnoOf(root)})`;
    case 'refused':
      return `${who} refused the connection${poisoned(root, who)}`;
    case 'unreachable':
      return `${who} is unreachable (${errnoOf(root)})`;
    case 'timeout':
      return `${who} gave no answer within ${seconds}`;
    case 'broken':
      return `${who} broke the connection off: ${messageOf(root)}`;
    default:
      return messageOf(root);
  }
}

/** A name that leads to this machine itself is what filtered DNS answers with. */
function poisoned(root: unknown, who: string): string {
  if (typeof root !== 'object' || root === null || !('address' in root) || typeof root.address !== 'string') return '';
  const name = who.replace(/^proxy /, '').replace(/:\d+$/, '');
  const isHere = isLoopbackHost(root.address) || root.address === '0.0.0.0' || root.address === '::';
  return isHere && !isLoopbackHost(name) && !/^[\d.]+$|^\[/.test(name)
    ? ` (its name resolves to ${root.address} here: filtered DNS?)`
    : '';
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
