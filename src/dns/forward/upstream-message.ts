import { encode, RECURSION_DESIRED } from 'dns-packet';
import { headerFlags, headerLength, rcodes, recordTypes, udpLimit } from '../wire/constants.js';
import { skipName } from '../wire/names.js';
import type { Question, UpstreamAnswer } from './types.js';

/** Answers are kept no longer, whatever they say (CoreDNS `cache`). */
const maxTtl = { success: 3600, denial: 1800 };

/** A query for a resolver; its id (the first two bytes) is the sender's to fill in. */
export function makeUpstreamQuery(question: Question): Buffer {
  const flags = RECURSION_DESIRED | (question.checkingDisabled ? headerFlags.checkingDisabled : 0);
  const rest = encode({
    type: 'query',
    id: 0,
    flags,
    questions: [],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpLimit,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: question.dnssecOk ? 0x8000 : 0,
        flag_do: question.dnssecOk,
        options: [],
      },
    ],
  });
  // A name may hold bytes that text can't; the question is put in as it came.
  const numbers = Buffer.alloc(4);
  numbers.writeUInt16BE(question.type, 0);
  numbers.writeUInt16BE(question.class, 2);
  const name = Buffer.from(question.key, 'latin1');
  const message = Buffer.concat([rest.subarray(0, headerLength), name, numbers, rest.subarray(headerLength)]);
  message.writeUInt16BE(1, 4);
  return message;
}

/** True where the message answers that query: id, question, in whatever spelling. */
export function isAnswerTo(message: Buffer, query: Buffer): boolean {
  if (message.length < headerLength || message[0] !== query[0] || message[1] !== query[1]) return false;
  if (((message[2] ?? 0) & 0x80) === 0 || message.readUInt16BE(4) !== 1) return false;
  const end = skipName(query, headerLength) + 4;
  if (message.length < end) return false;
  for (let at = headerLength; at < end; at += 1) {
    const byte = message[at] ?? 0;
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== query[at]) return false;
  }
  return true;
}

/**
 * Takes an answer apart without following its names: sections, times to live, OPT left out. Undefined where it is
 * malformed. A truncated one may end anywhere; what is whole of it counts.
 */
export function readUpstreamAnswer(message: Buffer): UpstreamAnswer | undefined {
  if (message.length < headerLength) return undefined;
  const start = skipName(message, headerLength) + 4;
  if (start < headerLength + 4 || start > message.length) return undefined;
  const truncated = ((message[2] ?? 0) & 0x02) !== 0;
  const rcode = (message[3] ?? 0) & 0xf;
  const kept = [0, 0, 0];
  const ttlPositions: number[] = [];
  let at = start;
  let end = start;
  let least = Number.POSITIVE_INFINITY;
  let negative: number | undefined;
  let extended = 0;
  walk: for (const section of [0, 1, 2] as const) {
    const count = message.readUInt16BE(6 + 2 * section);
    for (let i = 0; i < count; i += 1) {
      const fixed = skipName(message, at);
      const whole = fixed >= 0 && fixed + 10 <= message.length;
      const next = whole ? fixed + 10 + message.readUInt16BE(fixed + 8) : -1;
      if (next < 0 || next > message.length) {
        if (truncated) break walk;
        return undefined;
      }
      const type = message.readUInt16BE(fixed);
      if (type === recordTypes.opt) {
        // It is this hop's own; what stands behind it would be moved, and its pointers with it: nothing of use does.
        extended = message[fixed + 4] ?? 0;
        break walk;
      }
      const ttl = message.readUInt32BE(fixed + 4);
      ttlPositions.push(fixed + 4 - start);
      // RFC 2181 8: the highest bit set means zero.
      least = Math.min(least, ttl > 0x7fffffff ? 0 : ttl);
      if (section === 1 && type === recordTypes.soa && next - fixed - 10 >= 22) {
        negative = Math.min(ttl, message.readUInt32BE(next - 4));
      }
      kept[section] = i + 1;
      at = next;
      end = next;
    }
  }
  const [answers = 0, authorities = 0, additionals = 0] = kept;
  const denies = rcode === rcodes.nameError || (rcode === rcodes.noError && answers === 0);
  const ttl = denies ? Math.min(negative ?? 0, maxTtl.denial) : Math.min(least, maxTtl.success);
  const keeps = !truncated && extended === 0 && (rcode === rcodes.noError || rcode === rcodes.nameError);
  return {
    rcode,
    body: { bytes: Buffer.from(message.subarray(start, end)), answers, authorities, additionals, rotates: 0 },
    authenticData: ((message[3] ?? 0) & headerFlags.authenticData) !== 0,
    truncated,
    ttlPositions,
    ttl: keeps && Number.isFinite(ttl) ? ttl : 0,
  };
}

/** The answer's body with its times to live lowered by `ageSeconds`, or all set to `fixedTtl`; a copy. */
export function agedBody(answer: UpstreamAnswer, ageSeconds: number, fixedTtl?: number): UpstreamAnswer['body'] {
  if (fixedTtl === undefined && ageSeconds <= 0) return answer.body;
  const bytes = Buffer.from(answer.body.bytes);
  for (const at of answer.ttlPositions) {
    bytes.writeUInt32BE(fixedTtl ?? Math.max(0, bytes.readUInt32BE(at) - ageSeconds), at);
  }
  return { ...answer.body, bytes };
}
