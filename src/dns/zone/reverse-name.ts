import { isIPv4 } from 'node:net';
import { canonicalAddress } from '../../base/cidr.js';

/**
 * The address that a reverse name stands for, canonical; its labels from the left without `in-addr.arpa` or `ip6.arpa`.
 * Undefined where it stands for none or for a whole network (RFC 1035 3.5, RFC 3596 2.5).
 */
export function addressFromReverse(labels: readonly string[], ipv6: boolean): string | undefined {
  const parts = labels.toReversed();
  if (!ipv6) {
    if (parts.length !== 4) return undefined;
    const text = parts.join('.');
    return isIPv4(text) ? text : undefined;
  }
  if (parts.length !== 32 || !parts.every((part) => /^[0-9a-f]$/.test(part))) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => parts.slice(4 * i, 4 * i + 4).join(''));
  return canonicalAddress(groups.join(':'));
}
