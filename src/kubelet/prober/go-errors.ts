import { isIPv6 } from 'node:net';
import { errnoOf, messageOf } from '../../base/errors.js';

/** What Go says for errnos. */
const phrases: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  EACCES: 'connect: permission denied',
  ETIMEDOUT: 'connect: connection timed out',
};

/** `10.0.0.1:80`, `[::1]:80`. */
export function joinHostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** A connection's failure in the words of the kubelets that people know, for events. */
export function networkErrorText(error: unknown, host: string, port: number): string {
  const errno = errnoOf(error) ?? '';
  const phrase = phrases[errno];
  if (phrase !== undefined) return `dial tcp ${joinHostPort(host, port)}: ${phrase}`;
  if (errno === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  if (errno === 'ECONNRESET') return messageOf(error) === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
  if (errno === 'EPIPE') return 'write: broken pipe';
  if (errno.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: ${messageOf(error)}`;
  return messageOf(error);
}
