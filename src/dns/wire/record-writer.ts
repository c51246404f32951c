import { isIPv4 } from 'node:net';
import { parseAddress } from '../../base/cidr.js';
import type { DnsRecord } from '../zone/types.js';
import { classIn, headerLength, recordTypes, tcpLimit } from './constants.js';
import { encodeName } from './names.js';

/** The records of an answer behind its question, and how many there are of each kind. Positions in it are absolute. */
export interface AnswerBody {
  readonly bytes: Buffer;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /** Bytes of each answer where all are alike and nothing points into them, so that their order may change; else 0. */
  readonly rotates: number;
}

/** What a start of authority says beside its zone (as CoreDNS: `ns.dns` and `hostmaster` below the zone). */
export interface SoaFacts {
  /** Where the zone's name begins in the message. */
  readonly zoneAt: number;
  readonly serial: number;
  readonly ttl: number;
}

/** An owner of every record of the name that was asked for: a pointer to the question's. */
const questionPointer = 0xc000 | headerLength;
const nsPrefix = Buffer.from('\x02ns\x03dns', 'latin1');
const mailboxPrefix = Buffer.from('\x0ahostmaster', 'latin1');
/** RFC 1035's three times, as CoreDNS has them. */
const [refresh, retry, expire] = [7200, 1800, 86_400];

/**
 * Writes an answer's records for a question that ends at `questionEnd`. Answers that don't fit into any message are
 * left out, additional ones before the others. A record whose name can't be written is left out too.
 */
export function writeBody(
  questionEnd: number,
  answers: readonly DnsRecord[],
  additional: readonly DnsRecord[],
  soa: SoaFacts,
): AnswerBody {
  const writer = new RecordWriter(questionEnd, soa);
  const isIp = answers.every((record) => record.type === 'address');
  const count = answers.filter((record) => writer.add(record)).length;
  const plain = writer.length;
  const more = additional.filter((record) => writer.add(record)).length;
  return {
    bytes: writer.bytes(),
    answers: count,
    authorities: 0,
    additionals: more,
    rotates: isIp && more === 0 && count > 1 && plain % count === 0 ? plain / count : 0,
  };
}

/** Writes the authority of a negative answer. */
export function writeSoaBody(questionEnd: number, soa: SoaFacts): AnswerBody {
  const writer = new RecordWriter(questionEnd, soa);
  writer.add({ type: 'soa', ttl: soa.ttl });
  return { bytes: writer.bytes(), answers: 0, authorities: 1, additionals: 0, rotates: 0 };
}

class RecordWriter {
  private readonly start: number;
  private readonly soa: SoaFacts;
  private readonly parts: Buffer[] = [];
  /** Where names stand that later records may point to. */
  private readonly names = new Map<string, number>();
  length = 0;

  constructor(start: number, soa: SoaFacts) {
    this.start = start;
    this.soa = soa;
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }

  /** False where it wasn't written. */
  add(record: DnsRecord): boolean {
    const owner = record.type === 'soa' ? pointer(this.soa.zoneAt) : this.ownerOf(record.name);
    const data = this.dataOf(record);
    if (owner === undefined || data === undefined) return false;
    const { type, bytes, target } = data;
    if (this.start + this.length + owner.length + 10 + bytes.length > tcpLimit - 64) return false;
    const head = Buffer.alloc(10);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(classIn, 2);
    head.writeUInt32BE(record.ttl, 4);
    head.writeUInt16BE(bytes.length, 8);
    this.parts.push(owner, head, bytes);
    const dataAt = this.start + this.length + owner.length + 10;
    if (target !== undefined && dataAt + target.offset < 0x4000 && !this.names.has(target.name)) {
      this.names.set(target.name, dataAt + target.offset);
    }
    this.length += owner.length + 10 + bytes.length;
    return true;
  }

  private ownerOf(name: string | undefined): Buffer | undefined {
    if (name === undefined) return pointer(questionPointer & 0x3fff);
    const known = this.names.get(name);
    return known === undefined ? encodeName(name) : pointer(known);
  }

  private dataOf(
    record: DnsRecord,
  ): { type: number; bytes: Buffer; target?: { name: string; offset: number } } | undefined {
    switch (record.type) {
      case 'address':
        return {
          type: isIPv4(record.ip) ? recordTypes.a : recordTypes.aaaa,
          bytes: addressBytes(record.ip),
        };
      case 'srv': {
        // Servers' names are never compressed (RFC 2782).
        const name = encodeName(record.target);
        if (name === undefined) return undefined;
        const fixed = Buffer.alloc(6);
        fixed.writeUInt16BE(record.weight, 2);
        fixed.writeUInt16BE(record.port, 4);
        const target = { name: record.target, offset: 6 };
        return { type: recordTypes.srv, bytes: Buffer.concat([fixed, name]), target };
      }
      case 'txt': {
        const text = Buffer.from(record.text);
        return { type: recordTypes.txt, bytes: Buffer.concat([Buffer.of(text.length), text]) };
      }
      case 'soa':
        return { type: recordTypes.soa, bytes: this.soaBytes() };
      default: {
        const name = encodeName(record.target);
        if (name === undefined) return undefined;
        return { type: recordTypes[record.type], bytes: name, target: { name: record.target, offset: 0 } };
      }
    }
  }

  private soaBytes(): Buffer {
    const { zoneAt, serial, ttl } = this.soa;
    const numbers = Buffer.alloc(20);
    for (const [index, value] of [serial >>> 0, refresh, retry, expire, ttl].entries()) {
      numbers.writeUInt32BE(value, 4 * index);
    }
    return Buffer.concat([nsPrefix, pointer(zoneAt), mailboxPrefix, pointer(zoneAt), numbers]);
  }
}

function pointer(at: number): Buffer {
  return Buffer.of(0xc0 | (at >> 8), at & 0xff);
}

/** An address in network order. The text is one: who fills the zone saw to it. */
function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  const value = parseAddress(text)?.value ?? 0n;
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}
