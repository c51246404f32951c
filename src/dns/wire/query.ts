import { headerFlags, headerLength, plainUdpLimit, rcodes, recordTypes, udpLimit } from './constants.js';
import { skipName } from './names.js';

/** One query, read in place. The object belongs to its reader and is overwritten by the next `read`. */
export interface Query {
  /** The header's second word: flags, opcode. */
  readonly flags: number;
  /** Where the name ends, its root byte included. It begins at 12. */
  readonly nameEnd: number;
  /** Where the question ends. */
  readonly questionEnd: number;
  /** The name's wire form in lower case, a character a byte (latin1). */
  readonly key: string;
  /** Where each label begins in `key`, its length byte first; `labelCount` of them count. */
  readonly labelStarts: Uint8Array;
  readonly labelCount: number;
  readonly type: number;
  readonly class: number;
  readonly hasEdns: boolean;
  readonly dnssecOk: boolean;
  /** What the client takes over UDP: 512 to 1232. */
  readonly udpSize: number;
}

export interface QueryReader {
  readonly query: Query;
  /**
   * Reads a message into `query`. 0: a query to answer; an rcode: answer so, with the question where `questionEnd` is
   * more than 12; -1: no query at all (too short, or an answer), which nobody may reply to lest two servers talk forever.
   */
  read(message: Buffer): number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Makes a reader. It allocates one string a query; nothing that is sent makes it throw. */
export function createQueryReader(): QueryReader {
  const query: Mutable<Query> = {
    flags: 0,
    nameEnd: headerLength,
    questionEnd: headerLength,
    key: '',
    labelStarts: new Uint8Array(128),
    labelCount: 0,
    type: 0,
    class: 0,
    hasEdns: false,
    dnssecOk: false,
    udpSize: plainUdpLimit,
  };
  const lower = Buffer.alloc(256);

  /** False where there is no whole question. */
  function readQuestion(message: Buffer): boolean {
    const end = message.length;
    let at = headerLength;
    let labels = 0;
    for (;;) {
      if (at >= end) return false;
      const length = message[at] ?? 0;
      if (length === 0) break;
      // Nothing stands before a question's name that it could point to.
      if (length > 63) return false;
      query.labelStarts[labels++] = at - headerLength;
      at += 1 + length;
      if (at - headerLength > 254) return false;
    }
    const nameEnd = at + 1;
    if (nameEnd + 4 > end) return false;
    for (let i = headerLength; i < nameEnd; i += 1) {
      const byte = message[i] ?? 0;
      // A length is at most 63 and so never taken for a capital.
      lower[i - headerLength] = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    }
    query.labelCount = labels;
    query.nameEnd = nameEnd;
    query.questionEnd = nameEnd + 4;
    query.key = lower.toString('latin1', 0, nameEnd - headerLength);
    query.type = ((message[nameEnd] ?? 0) << 8) | (message[nameEnd + 1] ?? 0);
    query.class = ((message[nameEnd + 2] ?? 0) << 8) | (message[nameEnd + 3] ?? 0);
    return true;
  }

  /** Looks for EDNS0 behind the question; an rcode. */
  function readAdditional(message: Buffer, count: number): number {
    let at = query.questionEnd;
    for (let i = 0; i < count; i += 1) {
      const isRoot = message[at] === 0;
      const fixed = skipName(message, at);
      if (fixed < 0 || fixed + 10 > message.length) return rcodes.formatError;
      const next = fixed + 10 + message.readUInt16BE(fixed + 8);
      if (next > message.length) return rcodes.formatError;
      if (message.readUInt16BE(fixed) === recordTypes.opt) {
        if (!isRoot || query.hasEdns) return rcodes.formatError;
        query.hasEdns = true;
        query.udpSize = Math.min(Math.max(message.readUInt16BE(fixed + 2), plainUdpLimit), udpLimit);
        query.dnssecOk = ((message[fixed + 6] ?? 0) & 0x80) !== 0;
        if (message[fixed + 5] !== 0) return rcodes.badVersion;
      }
      at = next;
    }
    return rcodes.noError;
  }

  return {
    query,
    read(message) {
      query.hasEdns = false;
      query.dnssecOk = false;
      query.udpSize = plainUdpLimit;
      query.questionEnd = headerLength;
      if (message.length < headerLength) return -1;
      const flags = ((message[2] ?? 0) << 8) | (message[3] ?? 0);
      query.flags = flags;
      if ((flags & headerFlags.response) !== 0) return -1;
      if ((flags & 0x7800) !== 0) return rcodes.notImplemented;
      // One question, no answer, no authority.
      if (message[4] !== 0 || message[5] !== 1) return rcodes.formatError;
      if (((message[6] ?? 0) | (message[7] ?? 0) | (message[8] ?? 0) | (message[9] ?? 0)) !== 0) {
        return rcodes.formatError;
      }
      if (!readQuestion(message)) return rcodes.formatError;
      const additional = ((message[10] ?? 0) << 8) | (message[11] ?? 0);
      return additional === 0 ? rcodes.noError : readAdditional(message, additional);
    },
  };
}

/** A label's text within a query's key, by its number from the left. */
export function labelOf(query: Query, index: number): string {
  const start = query.labelStarts[index] ?? 0;
  return query.key.slice(start + 1, start + 1 + query.key.charCodeAt(start));
}

/** True where the name is that one or below it; both in wire form and lower case, `labels` being the zone's own count. */
export function isBelow(query: Query, zoneKey: string, labels: number): boolean {
  const at = query.key.length - zoneKey.length;
  if (at < 0 || query.labelCount < labels) return false;
  // The suffix must begin where a label does: a label may hold any bytes.
  const start = query.labelCount === labels ? 0 : (query.labelStarts[query.labelCount - labels] ?? 0);
  return start === at && query.key.endsWith(zoneKey);
}
