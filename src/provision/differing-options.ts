import type { ClusterOptions } from '../config/types.js';

/**
 * How the options of the cluster that is there differ from those that are wanted, for a message; empty where they don't.
 * A cluster that was made before there was the choice of a DNS server has none, which `auto` and `none` leave at that. Pure.
 */
export function differingOptions(recorded: Partial<ClusterOptions>, wanted: ClusterOptions): string {
  const had: Readonly<Record<string, unknown>> = { dns: wanted.dns === 'auto' ? 'auto' : 'none', ...recorded };
  const want: Readonly<Record<string, unknown>> = { ...wanted };
  return [...new Set([...Object.keys(had), ...Object.keys(want)])]
    .filter((key) => JSON.stringify(had[key]) !== JSON.stringify(want[key]))
    .map((key) => `${key} is ${JSON.stringify(had[key])}, want ${JSON.stringify(want[key])}`)
    .join('; ');
}
