import type { AnswerBody } from '../wire/record-writer.js';
import type { Versioned } from './types.js';

/** An answer of the cluster's zone, written out but for its question. */
export interface ReadyAnswer {
  readonly body: AnswerBody;
  readonly rcode: number;
}

interface KeptAnswer extends ReadyAnswer {
  readonly owner: Versioned;
  readonly version: number;
}

export interface AnswerStore {
  /** Undefined where there is none, or what it was made from has changed since. */
  get(key: string, type: number): ReadyAnswer | undefined;
  keep(key: string, type: number, answer: ReadyAnswer, owner: Versioned): void;
}

/**
 * Answers that were given before, by a query's key and type; each holds until its owner's version changes. Only names
 * that are there belong in it, so that made-up ones fill nothing. When full it begins anew: making one takes microseconds.
 */
export function createAnswerStore(capacity = 20_000): AnswerStore {
  const byType = new Map<number, Map<string, KeptAnswer>>();
  let count = 0;
  return {
    get(key, type) {
      const kept = byType.get(type)?.get(key);
      return kept !== undefined && kept.owner.version === kept.version ? kept : undefined;
    },
    keep(key, type, answer, owner) {
      if (count >= capacity) {
        byType.clear();
        count = 0;
      }
      let answers = byType.get(type);
      if (answers === undefined) {
        answers = new Map();
        byType.set(type, answers);
      }
      if (!answers.has(key)) count += 1;
      answers.set(key, { body: answer.body, rcode: answer.rcode, owner, version: owner.version });
    },
  };
}
