import type { Fault } from './faults.js';
import type { OptionPath } from './option-table.js';

/** Two flags that can't both be meant, and why. */
const contradictions: readonly {
  readonly first: readonly [OptionPath, string];
  readonly second: readonly [OptionPath, string];
  readonly why: string;
}[] = [
  {
    first: ['dryRun', '--dry-run'],
    second: ['keepOnFailure', '--keep-on-failure'],
    why: 'a dry run makes nothing that could be kept',
  },
  {
    first: ['images.build', '--no-build'],
    second: ['images.debianMirror', '--debian-mirror'],
    why: 'Debian packages are only fetched to build images',
  },
];

/** The contradictions among the flags of one command line. */
export function flagContradictions(flags: Readonly<Partial<Record<OptionPath, unknown>>>): readonly Fault[] {
  return contradictions
    .filter(({ first, second }) => flags[first[0]] !== undefined && flags[second[0]] !== undefined)
    .map(({ first, second, why }) => ({ message: `${first[1]} and ${second[1]}: choose one: ${why}`, fromFlag: true }));
}
