import type { LoopFinder } from '../forward/find-loops.js';
import type { Forwarded, Forwarder } from '../forward/forwarder.js';
import type { Question } from '../forward/types.js';
import { agedBody } from '../forward/upstream-message.js';
import { answerFlags, writeAnswer } from '../wire/answer-writer.js';
import { classIn, headerFlags, headerLength, optLength, rcodes, recordTypes, tcpLimit } from '../wire/constants.js';
import { createQueryReader, type Query } from '../wire/query.js';
import type { AnswerBody } from '../wire/record-writer.js';
import type { ClusterAnswers, Realm } from '../zone/cluster-answers.js';
import type { AliasAnswers } from './alias-answers.js';
import type { DnsMetrics, TransportIndex } from './dns-metrics.js';

/** What `respond` says where the answer takes a while: call `respondLater` at once, before the next query is read. */
export const later = -1;

export interface Responder {
  /**
   * Answers a message into `out` (64 KiB): the answer's length, 0 where nobody may be answered, `later` where resolvers
   * are to be asked. Never throws.
   */
  respond(message: Buffer, out: Buffer, transport: TransportIndex, ipv6: boolean): number;
  /** The answer to the message that `respond` was just called with; a buffer of its own. Never rejects. */
  respondLater(message: Buffer, transport: TransportIndex, ipv6: boolean): Promise<Buffer>;
}

export interface ResponderOptions {
  readonly answers: ClusterAnswers;
  readonly aliases: AliasAnswers;
  readonly forwarder: Forwarder;
  readonly hasUpstreams: () => boolean;
  readonly loops: Pick<LoopFinder, 'isOwn'>;
  readonly metrics: DnsMetrics;
  /** The first lists are in: before that no name of the cluster can be denied. */
  readonly synced: () => boolean;
}

/** From a query to its answer, whatever it came by. One query at a time: the reader's state is shared. */
export function createResponder(options: ResponderOptions): Responder {
  const { answers, aliases, forwarder, hasUpstreams, loops, metrics, synced } = options;
  const reader = createQueryReader();
  const { query } = reader;
  let turn = 0;
  let startedAt = 0;
  let realm: Realm = 'outside';

  function write(
    message: Buffer,
    out: Buffer,
    transport: TransportIndex,
    ipv6: boolean,
    rcode: number,
    body: AnswerBody | undefined,
    bits: number,
  ): number {
    turn = (turn + 1) & 0xffff;
    const flags = answerFlags(query, rcode, bits);
    const limit = transport === 0 ? query.udpSize : tcpLimit;
    const length = writeAnswer(message, query, { flags, rcode, body, turn, limit }, out);
    metrics.count(transport, ipv6, query.type, realm !== 'outside', rcode, (performance.now() - startedAt) / 1000);
    return length;
  }

  function respond(message: Buffer, out: Buffer, transport: TransportIndex, ipv6: boolean): number {
    startedAt = performance.now();
    const fault = reader.read(message);
    if (fault < 0) return 0;
    const say = (rcode: number, body?: AnswerBody, bits = 0) => write(message, out, transport, ipv6, rcode, body, bits);
    realm = 'outside';
    if (fault > 0) return say(fault);
    if (query.class === classIn && query.type < recordTypes.ixfr) {
      const ready = synced() ? answers.ready(query) : undefined;
      if (ready !== undefined) {
        realm = 'cluster';
        return say(ready.rcode, ready.body, headerFlags.authoritative);
      }
    } else if (query.class !== classIn || query.type === recordTypes.axfr || query.type === recordTypes.ixfr) {
      return say(rcodes.refused);
    }
    realm = answers.realmOf(query);
    if (realm === 'outside') return forwardNow(say);
    if (!synced()) return say(rcodes.serverFailure);
    const made = answers.make(query, realm);
    if (made === 'unknown') {
      if (!hasUpstreams()) {
        const denied = answers.nameError(query);
        return say(denied.rcode, denied.body, headerFlags.authoritative);
      }
      realm = 'outside';
      return forwardNow(say);
    }
    if ('alias' in made) return later;
    return say(made.rcode, made.body, headerFlags.authoritative);
  }

  function forwardNow(say: (rcode: number, body?: AnswerBody, bits?: number) => number): number {
    if (loops.isOwn(query)) return say(rcodes.refused);
    // Clients that don't want recursion get none (RFC 1034 4.3.1); and who could be asked?
    if (!hasUpstreams() || (query.flags & headerFlags.recursionDesired) === 0) return say(rcodes.refused);
    const kept = forwarder.cached(questionOf(query));
    if (kept === undefined) return later;
    return say(kept.answer.rcode, bodyOf(kept), bitsOf(kept, query));
  }

  async function answerLater(asked: Query, wanted: Realm): Promise<LaterAnswer> {
    if (wanted === 'cluster') {
      const made = answers.make(asked, wanted);
      if (typeof made === 'object' && 'alias' in made) {
        return { ...(await aliases.resolve(asked, made.alias)), bits: headerFlags.authoritative };
      }
    }
    try {
      const got = await forwarder.resolve(questionOf(asked));
      return { rcode: got.answer.rcode, body: bodyOf(got), bits: bitsOf(got, asked) };
    } catch {
      return { rcode: rcodes.serverFailure, body: undefined, bits: 0 };
    }
  }

  return {
    respond(message, out, transport, ipv6) {
      try {
        return respond(message, out, transport, ipv6);
      } catch {
        metrics.failed();
        return 0;
      }
    },
    async respondLater(message, transport, ipv6) {
      // The reader goes on to other queries meanwhile.
      const asked: Query = { ...query, labelStarts: query.labelStarts.slice(0, query.labelCount) };
      const [began, wanted] = [startedAt, realm];
      const limit = transport === 0 ? asked.udpSize : tcpLimit;
      let answer: LaterAnswer = { rcode: rcodes.serverFailure, body: undefined, bits: 0 };
      try {
        answer = await answerLater(asked, wanted);
      } catch {
        metrics.failed();
      }
      const { rcode, body, bits } = answer;
      const flags = answerFlags(asked, rcode, bits);
      const out = Buffer.allocUnsafe(headerLength + asked.questionEnd + (body?.bytes.length ?? 0) + optLength);
      const length = writeAnswer(message, asked, { flags, rcode, body, turn: 0, limit }, out);
      const seconds = (performance.now() - began) / 1000;
      metrics.count(transport, ipv6, asked.type, wanted !== 'outside', rcode, seconds);
      return out.subarray(0, length);
    },
  };
}

interface LaterAnswer {
  readonly rcode: number;
  readonly body: AnswerBody | undefined;
  readonly bits: number;
}

/** The name in lower case, so that all spellings share an answer; the client gets its own back. */
function questionOf(query: Query): Question {
  return {
    key: query.key,
    type: query.type,
    class: query.class,
    dnssecOk: query.dnssecOk,
    checkingDisabled: (query.flags & headerFlags.checkingDisabled) !== 0,
  };
}

function bodyOf({ answer, ageSeconds, fixedTtl }: Forwarded): AnswerBody {
  return agedBody(answer, ageSeconds, fixedTtl);
}

/** AD only to those who can tell (RFC 6840 5.7). */
function bitsOf({ answer }: Forwarded, query: Query): number {
  const understands = query.dnssecOk || (query.flags & headerFlags.authenticData) !== 0;
  const bits = answer.authenticData && understands ? headerFlags.authenticData : 0;
  return answer.truncated ? bits | headerFlags.truncated : bits;
}
