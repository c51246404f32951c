import type { HostChangeKind } from '../host/journal-types.js';
import type { Facts } from './facts.js';

export type Severity = 'ok' | 'warn' | 'fail';

/** A setting of the host that install may make right by itself; each goes through the journal. */
export type HostFix =
  | { readonly kind: Extract<HostChangeKind, 'sysctl'>; readonly key: string; readonly value: string }
  | { readonly kind: Extract<HostChangeKind, 'sharedMount'>; readonly path: string };

/** What one check has to say. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly found: string;
  readonly wanted: string;
  /** What the user can do; empty where nothing need be done. */
  readonly fix: string;
  /** What install does about it by itself. */
  readonly fixes: readonly HostFix[];
}

/** A check's own part of a finding. */
export type Verdict = Pick<Finding, 'severity' | 'found'> & Partial<Pick<Finding, 'fix' | 'fixes' | 'wanted'>>;

/** The facts that a check asked for, each known. */
export type KnownFacts<K extends keyof Facts> = { readonly [P in K]: Extract<Facts[P], { known: true }>['value'] };

/** One thing that must hold. `examine` is pure and sees only the facts that it needs. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly wanted: string;
  readonly needs: readonly (keyof Facts)[];
  run(facts: Facts): Finding;
}

/**
 * Makes a check. Where a fact that it needs could not be had, it warns and says why: an examination that failed is
 * neither a fault of the machine nor a proof that all is well.
 */
export function defineCheck<K extends keyof Facts>(definition: {
  readonly id: string;
  readonly title: string;
  readonly wanted: string;
  readonly needs: readonly K[];
  readonly examine: (facts: KnownFacts<K>) => Verdict;
}): Check {
  const { id, title, wanted, needs, examine } = definition;
  return {
    id,
    title,
    wanted,
    needs,
    run(facts) {
      const known: Partial<Record<K, unknown>> = {};
      for (const key of needs) {
        const fact = facts[key];
        if (!fact.known) {
          const found = `could not be examined: ${fact.reason}`;
          return { id, title, wanted, severity: 'warn', found, fix: '', fixes: [] };
        }
        known[key] = fact.value;
      }
      return { id, title, wanted, fix: '', fixes: [], ...examine(known as KnownFacts<K>) };
    },
  };
}
