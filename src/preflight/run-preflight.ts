import { HyperupError } from '../base/errors.js';
import { allChecks } from './checks/all-checks.js';
import type { Facts } from './facts.js';
import { formatFinding } from './format-finding.js';
import type { Check, Finding } from './types.js';

export interface PreflightResult {
  /** In the order of the checks; the skipped ones aren't among them. */
  readonly findings: readonly Finding[];
  readonly skipped: readonly string[];
  /** True where at least one check failed. */
  readonly failed: boolean;
}

/**
 * Runs every check that isn't skipped and gives all they found, faults or not. Pure. Throws `Usage`, listing the
 * names there are, where `skip` has one that is none.
 */
export function runPreflight(
  facts: Facts,
  options: { readonly skip?: readonly string[]; readonly checks?: readonly Check[] } = {},
): PreflightResult {
  const { skip = [], checks = allChecks } = options;
  assertKnownIds(skip, checks);
  const findings = checks.filter(({ id }) => !skip.includes(id)).map((check) => check.run(facts));
  return {
    findings,
    skipped: checks.map(({ id }) => id).filter((id) => skip.includes(id)),
    failed: findings.some(({ severity }) => severity === 'fail'),
  };
}

/** Throws `Usage` for a name that no check has. */
export function assertKnownIds(skip: readonly string[], checks: readonly Check[] = allChecks): void {
  const ids = checks.map(({ id }) => id);
  const strange = skip.filter((id) => !ids.includes(id));
  if (strange.length === 0) return;
  throw new HyperupError('Usage', `skip preflight: there is no check ${strange.map((id) => `"${id}"`).join(', ')}`, {
    hint: `The checks are: ${ids.join(', ')}`,
    details: { strange, ids },
  });
}

/** All failed checks as one error, or undefined where none failed. */
export function preflightError({ findings }: PreflightResult): HyperupError | undefined {
  const failed = findings.filter(({ severity }) => severity === 'fail');
  if (failed.length === 0) return undefined;
  return new HyperupError(
    'PreflightFailed',
    `check this machine: ${failed.length} ${failed.length === 1 ? 'thing keeps' : 'things keep'} a cluster from running on it: ${failed.map(({ id }) => id).join(', ')}`,
    {
      hint: `Put them right, or leave a check out: --skip-preflight ${failed.map(({ id }) => id).join(',')}`,
      output: failed.flatMap(formatFinding).join('\n'),
      details: { findings: failed },
    },
  );
}
