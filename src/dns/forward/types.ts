import type { AnswerBody } from '../wire/record-writer.js';

/** A resolver to ask. */
export interface Upstream {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

/** A question as it goes to a resolver. */
export interface Question {
  /** The name in wire form, lower case, a character a byte. */
  readonly key: string;
  readonly type: number;
  readonly class: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** A resolver's answer behind its question. Positions in the body hold for every message with a name of that length. */
export interface UpstreamAnswer {
  readonly rcode: number;
  readonly body: AnswerBody;
  readonly authenticData: boolean;
  /** The message was cut: more is to be had over TCP. */
  readonly truncated: boolean;
  /** Where in the body each record's four bytes of TTL stand. */
  readonly ttlPositions: readonly number[];
  /** For how many seconds it may be kept; 0 where it may not. */
  readonly ttl: number;
}

/** `203.0.113.1:53`, `[2001:db8::1]:53`. */
export function upstreamName({ address, port }: Upstream): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
