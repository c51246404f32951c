import { headerFlags, headerLength, optLength, recordTypes, tcpLimit, udpLimit } from './constants.js';
import { skipName } from './names.js';
import type { Query } from './query.js';
import type { AnswerBody } from './record-writer.js';

/** The header's flags of an answer: what the query asked, and what is said here. `bits` come from `headerFlags`. */
export function answerFlags(query: Query, rcode: number, bits: number): number {
  const kept = query.flags & (headerFlags.recursionDesired | headerFlags.checkingDisabled | 0x7800);
  return headerFlags.response | headerFlags.recursionAvailable | kept | bits | (rcode & 0xf);
}

export interface AnswerParts {
  readonly flags: number;
  /** The high bits go into OPT. */
  readonly rcode: number;
  readonly body: AnswerBody | undefined;
  /** How many places the answers are moved on, where they may be. */
  readonly turn: number;
  readonly limit: number;
}

/**
 * Writes an answer into `out`, which holds 64 KiB, and gives its length: the query's own header and question with its
 * spelling, the body, and OPT where the query had one. What is longer than `limit` is cut between two records and says so.
 */
export function writeAnswer(message: Buffer, query: Query, parts: AnswerParts, out: Buffer): number {
  const { body, flags, turn, limit } = parts;
  const { questionEnd } = query;
  // A short copy by hand is faster than a call.
  for (let i = 0; i < questionEnd; i += 1) out[i] = message[i] ?? 0;
  out[2] = flags >> 8;
  out[3] = flags & 0xff;
  out[5] = questionEnd > headerLength ? 1 : 0;
  out[4] = 0;
  let at = questionEnd;
  if (body === undefined) out.fill(0, 6, headerLength);
  else {
    out[6] = body.answers >> 8;
    out[7] = body.answers & 0xff;
    out[8] = body.authorities >> 8;
    out[9] = body.authorities & 0xff;
    out[10] = body.additionals >> 8;
    out[11] = body.additionals & 0xff;
    const { bytes } = body;
    if (body.rotates > 0) {
      const first = (turn % body.answers) * body.rotates;
      bytes.copy(out, at, first);
      bytes.copy(out, at + bytes.length - first, 0, first);
    } else if (bytes.length < 64) {
      for (let i = 0; i < bytes.length; i += 1) out[at + i] = bytes[i] ?? 0;
    } else bytes.copy(out, at);
    at += bytes.length;
  }
  const room = Math.min(limit, tcpLimit) - (query.hasEdns ? optLength : 0);
  if (at > room) at = truncate(out, questionEnd, at, room);
  return query.hasEdns ? writeOpt(out, at, query.dnssecOk, parts.rcode) : at;
}

function writeOpt(out: Buffer, at: number, dnssecOk: boolean, rcode: number): number {
  out[at] = 0;
  out[at + 1] = 0;
  out[at + 2] = recordTypes.opt;
  out[at + 3] = udpLimit >> 8;
  out[at + 4] = udpLimit & 0xff;
  out[at + 5] = rcode >> 4;
  out[at + 6] = 0;
  out[at + 7] = dnssecOk ? 0x80 : 0;
  out[at + 8] = 0;
  out[at + 9] = 0;
  out[at + 10] = 0;
  const count = ((out[10] ?? 0) << 8) + (out[11] ?? 0) + 1;
  out[10] = count >> 8;
  out[11] = count & 0xff;
  return at + optLength;
}

/** Leaves whole answers that fit. The cut is said only where answers or authority went: additional ones are a courtesy. */
function truncate(out: Buffer, start: number, end: number, room: number): number {
  const counts = [out.readUInt16BE(6), out.readUInt16BE(8), out.readUInt16BE(10)];
  const kept = [0, 0, 0];
  let at = start;
  cut: for (const [section, count] of counts.entries()) {
    for (let i = 0; i < count; i += 1) {
      const fixed = skipName(out, at);
      const next = fixed < 0 || fixed + 10 > end ? end + 1 : fixed + 10 + out.readUInt16BE(fixed + 8);
      if (next > room || next > end) break cut;
      at = next;
      kept[section] = i + 1;
    }
  }
  for (const [section, count] of kept.entries()) out.writeUInt16BE(count, 6 + 2 * section);
  if (kept[0] !== counts[0] || kept[1] !== counts[1]) out[2] = (out[2] ?? 0) | (headerFlags.truncated >> 8);
  return at;
}
