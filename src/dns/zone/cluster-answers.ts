import type { Clock } from '../../base/clock.js';
import { headerLength, rcodes, recordTypes } from '../wire/constants.js';
import { nameKey } from '../wire/names.js';
import { isBelow, labelOf, type Query } from '../wire/query.js';
import { type AnswerBody, type SoaFacts, writeBody, writeSoaBody } from '../wire/record-writer.js';
import { createAnswerStore, type ReadyAnswer } from './answer-store.js';
import type { ZoneFinding } from './types.js';
import { clusterTtl, type Zone } from './zone.js';
import type { ZoneStore } from './zone-store.js';

/** Where a query belongs: the cluster's domain, the addresses' names, or elsewhere. */
export type Realm = 'cluster' | 'reverse' | 'outside';

export interface ClusterAnswers {
  realmOf(query: Query): Realm;
  /** An answer that was made before and still holds. The quickest way: ask it first. */
  ready(query: Query): ReadyAnswer | undefined;
  /** Makes the answer; `alias` and `unknown` are for others to go on with. */
  make(query: Query, realm: Realm): ReadyAnswer | { readonly alias: string } | 'unknown';
  /** What is said of a reverse name that nobody knows. */
  nameError(query: Query): ReadyAnswer;
}

export interface ClusterAnswersOptions {
  readonly zone: Zone;
  readonly store: ZoneStore;
  readonly domain: string;
  readonly clock: Clock;
}

const reverse4 = '\x07in-addr\x04arpa\0';
const reverse6 = '\x03ip6\x04arpa\0';

/** Turns queries of the cluster's names into bytes. */
export function createClusterAnswers({ zone, store, domain, clock }: ClusterAnswersOptions): ClusterAnswers {
  const zoneKey = nameKey(domain) ?? '\0';
  const zoneLabels = domain.split('.').length;
  const answers = createAnswerStore();
  let serial = Math.floor(clock.now() / 1000);
  let serialVersion = store.all.version;

  function soaOf(query: Query, key: string): SoaFacts {
    if (serialVersion !== store.all.version) {
      serialVersion = store.all.version;
      serial = Math.floor(clock.now() / 1000);
    }
    return { zoneAt: headerLength + query.key.length - key.length, serial, ttl: clusterTtl };
  }

  function labelsBefore(query: Query, zoneCount: number): string[] {
    const labels: string[] = [];
    for (let i = 0; i < query.labelCount - zoneCount; i += 1) labels.push(labelOf(query, i));
    return labels;
  }

  function negative(query: Query, key: string, rcode: number): ReadyAnswer {
    return { rcode, body: writeSoaBody(query.questionEnd, soaOf(query, key)) };
  }

  function toAnswer(query: Query, finding: ZoneFinding, key: string): ReadyAnswer {
    if (finding.kind === 'nameError') return negative(query, key, rcodes.nameError);
    let answer = negative(query, key, rcodes.noError);
    if (finding.kind === 'records') {
      const body: AnswerBody = writeBody(
        query.questionEnd,
        finding.answers,
        finding.additional ?? [],
        soaOf(query, key),
      );
      answer = { rcode: rcodes.noError, body };
    }
    if ((finding.kind === 'records' || finding.kind === 'noData') && finding.owner !== undefined) {
      answers.keep(query.key, query.type, answer, finding.owner);
    }
    return answer;
  }

  return {
    realmOf(query) {
      if (isBelow(query, zoneKey, zoneLabels)) return 'cluster';
      return isBelow(query, reverse4, 2) || isBelow(query, reverse6, 2) ? 'reverse' : 'outside';
    },
    ready: (query) => answers.get(query.key, query.type),
    make(query, realm) {
      if (realm === 'cluster') {
        const finding = zone.lookUp(labelsBefore(query, zoneLabels), query.type);
        if (finding.kind !== 'alias') return toAnswer(query, finding, zoneKey);
        if (query.type !== recordTypes.cname) return { alias: finding.target };
        const record = { type: 'cname', ttl: clusterTtl, target: finding.target } as const;
        return toAnswer(query, { kind: 'records', answers: [record] }, zoneKey);
      }
      const ipv6 = isBelow(query, reverse6, 2);
      const finding = zone.lookUpReverse(labelsBefore(query, 2), ipv6, query.type);
      if (finding.kind === 'unknown') return 'unknown';
      return toAnswer(query, finding, ipv6 ? reverse6 : reverse4);
    },
    nameError: (query) => negative(query, isBelow(query, reverse6, 2) ? reverse6 : reverse4, rcodes.nameError),
  };
}
