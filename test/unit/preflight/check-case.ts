import type { Facts } from '../../../src/preflight/facts.js';
import type { Finding, HostFix, KnownFacts } from '../../../src/preflight/types.js';

/** A machine, and what one check must say about it. */
export interface CheckCase {
  readonly name: string;
  readonly values: Partial<KnownFacts<keyof Facts>>;
  readonly severity: Finding['severity'];
  readonly found: RegExp;
  readonly fix?: RegExp;
  readonly fixes?: readonly HostFix[];
}
