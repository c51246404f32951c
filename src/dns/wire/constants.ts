/** Record types by number (RFC 1035, 2782, 3596, 6891). */
export const recordTypes = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  hinfo: 13,
  txt: 16,
  aaaa: 28,
  srv: 33,
  opt: 41,
  ixfr: 251,
  axfr: 252,
  any: 255,
} as const;

/** How an answer ends (RFC 1035 4.1.1; `badVersion` is EDNS0's and fits in no header alone). */
export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;

export const classIn = 1;

/** Bits of a header's third and fourth byte, as one number. */
export const headerFlags = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authenticData: 0x0020,
  checkingDisabled: 0x0010,
} as const;

export const headerLength = 12;
/** What a UDP answer may have where the client says nothing (RFC 1035 2.3.4). */
export const plainUdpLimit = 512;
/** What we take and send over UDP at most: fits every link without fragments (DNS flag day 2020). */
export const udpLimit = 1232;
export const tcpLimit = 65_535;
/** The bytes of an OPT record without options. */
export const optLength = 11;

const typeNames: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  35: 'NAPTR',
  43: 'DS',
  48: 'DNSKEY',
  255: 'ANY',
};

/** A type's name in metrics: the common ones; `other` for the rest, so that labels stay few. */
export function typeName(type: number): string {
  return typeNames[type] ?? 'other';
}

const rcodeNames = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** An answer code's name in metrics. */
export function rcodeName(rcode: number): string {
  return rcode === rcodes.badVersion ? 'BADVERS' : (rcodeNames[rcode] ?? 'other');
}
