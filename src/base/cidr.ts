import { isIPv4, isIPv6 } from 'node:net';
import { HyperupError } from './errors.js';

/** An IP address as a number, with its family. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A range of addresses; `base` is its first one, host bits cleared. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly prefixLength: number;
}

const bits = { 4: 32, 6: 128 } as const;

/**
 * Reads an IPv4 or IPv6 address as RFC 4291 and inet_pton write it; undefined where the text is none.
 * A zone (`fe80::1%eth0`) is refused: no certificate or range can hold one.
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: ipv4Value(text) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  let plain = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const value = ipv4Value(dotted[2]);
    plain = `${dotted[1]}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return { family: 6, value: groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n) };
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The address in its canonical text form (RFC 5952 for IPv6). */
export function formatAddress(address: IpAddress): string {
  if (address.family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => String((address.value >> shift) & 0xffn)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) => Number((address.value >> BigInt(112 - 16 * i)) & 0xffffn));
  let start = 0;
  let length = 0;
  for (let i = 0; i < 8; i += 1) {
    let end = i;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** The canonical form of an address's text, or undefined where it is none; makes two spellings comparable. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** Reads `10.96.0.0/12` or `fd00::/108`; host bits are cleared. Throws `InvalidConfig`. */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  const suffix = text.slice(slash + 1);
  const prefixLength = /^\d{1,3}$/.test(suffix) ? Number(suffix) : Number.NaN;
  if (!address || !(prefixLength <= bits[address.family])) {
    throw new HyperupError(
      'InvalidConfig',
      `read address range: got "${text}", want ADDRESS/BITS such as 10.96.0.0/12`,
      {
        details: { text },
      },
    );
  }
  const hostBits = BigInt(bits[address.family] - prefixLength);
  return { family: address.family, base: (address.value >> hostBits) << hostBits, prefixLength };
}

/** `10.96.0.0/12`. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress({ family: cidr.family, value: cidr.base })}/${cidr.prefixLength}`;
}

/** How many addresses the range has. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(bits[cidr.family] - cidr.prefixLength);
}

function asCidr(cidr: Cidr | string): Cidr {
  return typeof cidr === 'string' ? parseCidr(cidr) : cidr;
}

/** True where the address is in the range; false for another family. Throws `InvalidConfig` on malformed text. */
export function cidrContains(cidr: Cidr | string, address: string): boolean {
  const range = asCidr(cidr);
  const parsed = parseAddress(address);
  if (!parsed) {
    throw new HyperupError('InvalidConfig', `read address: got "${address}", want an IPv4 or IPv6 address`);
  }
  return parsed.family === range.family && parsed.value >= range.base && parsed.value - range.base < cidrSize(range);
}

/** True where the two ranges share an address. Throws `InvalidConfig` on malformed text. */
export function cidrsOverlap(a: Cidr | string, b: Cidr | string): boolean {
  const [left, right] = [asCidr(a), asCidr(b)];
  if (left.family !== right.family) return false;
  return left.base < right.base + cidrSize(right) && right.base < left.base + cidrSize(left);
}

/**
 * The n-th address after the range's base (0 is the base itself): `nthAddress('10.96.0.0/12', 1)` is the address of the
 * `kubernetes` Service, 10 by custom that of the cluster's DNS. Throws `InvalidConfig` where the range is too small.
 */
export function nthAddress(cidr: Cidr | string, n: number): string {
  const range = asCidr(cidr);
  if (!Number.isSafeInteger(n) || n < 0 || BigInt(n) >= cidrSize(range)) {
    throw new HyperupError('InvalidConfig', `take address ${n} of ${formatCidr(range)}: the range is too small`);
  }
  return formatAddress({ family: range.family, value: range.base + BigInt(n) });
}
