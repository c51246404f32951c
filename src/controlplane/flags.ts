import { minorOf } from '../release/minor-of.js';

export type FlagValue = string | number | boolean | readonly string[] | undefined;

export interface FlagRule {
  readonly value: FlagValue;
  /** First minor that knows the flag. */
  readonly since?: number;
  /** First minor that no longer knows it. */
  readonly until?: number;
}

/**
 * Flags for one version as `--name=value`, sorted by name so that a manifest changes only where its meaning does.
 * Undefined values and flags that the version doesn't know are left out; lists are joined by commas.
 */
export function renderFlags(version: string, flags: Readonly<Record<string, FlagValue | FlagRule>>): string[] {
  const minor = minorOf(version);
  const rendered: string[] = [];
  for (const [name, entry] of Object.entries(flags)) {
    const rule: FlagRule =
      typeof entry === 'object' && !Array.isArray(entry) ? (entry as FlagRule) : { value: entry as FlagValue };
    if (rule.value === undefined) continue;
    if (rule.since !== undefined && minor < rule.since) continue;
    if (rule.until !== undefined && minor >= rule.until) continue;
    rendered.push(`--${name}=${Array.isArray(rule.value) ? rule.value.join(',') : String(rule.value)}`);
  }
  return rendered.sort();
}
