import { type Answer, decode, encode } from 'dns-packet';
import type { Forwarder } from '../forward/forwarder.js';
import { agedBody } from '../forward/upstream-message.js';
import { classIn, headerFlags, headerLength, rcodes } from '../wire/constants.js';
import { nameKey } from '../wire/names.js';
import { createQueryReader, type Query } from '../wire/query.js';
import type { AnswerBody } from '../wire/record-writer.js';
import type { ClusterAnswers } from '../zone/cluster-answers.js';
import { clusterTtl } from '../zone/zone.js';

export interface AliasAnswer {
  readonly rcode: number;
  readonly body: AnswerBody;
}

export interface AliasAnswers {
  /** The alias as CNAME and what it leads to, in the cluster or outside. Never rejects. */
  resolve(query: Query, target: string): Promise<AliasAnswer>;
}

export interface AliasAnswersOptions {
  readonly answers: ClusterAnswers;
  readonly forwarder: Forwarder;
  readonly hasUpstreams: () => boolean;
}

/** As CoreDNS: a chain that is longer leads nowhere. */
const maxLinks = 8;

/** Follows ExternalName Services. What the end of a chain says, its rcode included, is the answer's (RFC 6604). */
export function createAliasAnswers({ answers, forwarder, hasUpstreams }: AliasAnswersOptions): AliasAnswers {
  async function outside(query: Query, key: string): Promise<{ rcode: number; message: Buffer | undefined }> {
    // Without resolvers the alias itself is all there is to say.
    if (!hasUpstreams()) return { rcode: rcodes.noError, message: undefined };
    const checkingDisabled = (query.flags & headerFlags.checkingDisabled) !== 0;
    const question = { key, type: query.type, class: classIn, dnssecOk: query.dnssecOk, checkingDisabled };
    try {
      const got = forwarder.cached(question) ?? (await forwarder.resolve(question));
      const { rcode } = got.answer;
      return { rcode, message: asMessage(key, query.type, agedBody(got.answer, got.ageSeconds, got.fixedTtl)) };
    } catch {
      return { rcode: rcodes.serverFailure, message: undefined };
    }
  }

  return {
    async resolve(query, first) {
      const links: Answer[] = [];
      let target: string | undefined = first;
      let owner = '';
      let rcode: number = rcodes.noError;
      let message: Buffer | undefined;
      const seen = new Set<string>([query.key]);
      while (target !== undefined) {
        const key = nameKey(target);
        if (key === undefined || seen.has(key) || links.length >= maxLinks) {
          rcode = rcodes.serverFailure;
          break;
        }
        seen.add(key);
        links.push({ type: 'CNAME', name: owner, class: 'IN', ttl: clusterTtl, data: plainName(target) });
        owner = plainName(target);
        target = undefined;
        const next = readQuestion(key, query.type);
        if (next === undefined || answers.realmOf(next) !== 'cluster') {
          ({ rcode, message } = await outside(query, key));
          break;
        }
        const made = answers.make(next, 'cluster');
        if (made === 'unknown') break;
        if ('alias' in made) target = made.alias;
        else {
          rcode = made.rcode;
          message = asMessage(key, query.type, made.body);
        }
      }
      return { rcode, body: writeChain(links, message) };
    },
  };
}

function plainName(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** A query for a name, as if it had come from a client. */
function readQuestion(key: string, type: number): Query | undefined {
  const reader = createQueryReader();
  return reader.read(asMessage(key, type, undefined)) === 0 ? reader.query : undefined;
}

/** A message about that question; a query where it has no body. */
function asMessage(key: string, type: number, body: AnswerBody | undefined): Buffer {
  const head = Buffer.alloc(headerLength);
  if (body !== undefined) head[2] = 0x80;
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(body?.answers ?? 0, 6);
  head.writeUInt16BE(body?.authorities ?? 0, 8);
  const question = Buffer.alloc(4);
  question.writeUInt16BE(type, 0);
  question.writeUInt16BE(classIn, 2);
  return Buffer.concat([head, Buffer.from(key, 'latin1'), question, body?.bytes ?? Buffer.alloc(0)]);
}

/** The links, then what stands at their end; names written out, since positions of that message don't hold here. */
function writeChain(links: readonly Answer[], message: Buffer | undefined): AnswerBody {
  let answers: readonly Answer[] = [];
  let authorities: readonly Answer[] = [];
  try {
    const packet = message === undefined ? undefined : decode(message);
    answers = packet?.answers ?? [];
    authorities = packet?.authorities ?? [];
    return encodeRecords([...links, ...answers], authorities);
  } catch {
    // A record of a resolver's that can't be read or written: the alias alone is said.
    return encodeRecords(links, []);
  }
}

function encodeRecords(answers: readonly Answer[], authorities: readonly Answer[]): AnswerBody {
  const packet = encode({ type: 'response', answers: [...answers], authorities: [...authorities] });
  // The first record's name was left empty, one byte: it is the question's.
  const bytes =
    answers.length === 0
      ? packet.subarray(headerLength)
      : Buffer.concat([Buffer.of(0xc0, headerLength), packet.subarray(headerLength + 1)]);
  return { bytes, answers: answers.length, authorities: authorities.length, additionals: 0, rotates: 0 };
}
