import { formatCidr } from '../base/cidr.js';
import { showValue } from './faults.js';
import { nearestName } from './nearest.js';
import { type OptionSpec, optionTable } from './option-table.js';
import { findRelationFaults, type KnownNames } from './relations.js';
import { installOptionsSchema, readIpv4Range } from './schema.js';
import type { InstallOptions } from './types.js';

/** A fault and the option (a dotted path in `InstallOptions`) that it is about. */
export interface OptionFault {
  readonly path: string;
  readonly message: string;
}

const rows: readonly OptionSpec[] = optionTable;

/**
 * Everything that is wrong with the options, in the schema's order, then their contradictions. Contradictions that
 * involve a malformed option are left out. Empty where the options are valid.
 *
 * @param name how to call an option in a message; its dotted path where left out
 */
export function checkOptions(
  options: unknown,
  known: KnownNames,
  name: (path: string) => string = (path) => path,
): readonly OptionFault[] {
  const parsed = installOptionsSchema.safeParse(options);
  const faults: OptionFault[] = [];
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === 'unrecognized_keys') {
      const prefix = issue.path.length === 0 ? '' : `${issue.path.join('.')}.`;
      for (const key of issue.keys) faults.push({ path: prefix + key, message: `${prefix + key}: unknown option` });
      continue;
    }
    const dotted = issue.path.join('.');
    const row = rows.find((candidate) => dotted === candidate.path || dotted.startsWith(`${candidate.path}.`));
    const value = issue.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown>)?.[key], options);
    const path = row?.path ?? dotted;
    // `ports.api` repeats `apiPort`, whose own fault says it all.
    if (path === 'cluster.ports.api' && faults.some((fault) => fault.path === 'cluster.apiPort')) continue;
    const message = `${name(path)}: got ${showValue(value)}, want ${row?.wanted ?? issue.message}${advise(path, value)}`;
    if (!faults.some((fault) => fault.message === message)) faults.push({ path, message });
  }
  const malformed = new Set(faults.map((fault) => fault.path));
  if (!isComplete(options)) return faults;
  for (const { paths, message } of findRelationFaults(options, known, name)) {
    if (paths.some((path) => malformed.has(path))) continue;
    const path = paths[0] ?? '';
    faults.push({ path, message: `${name(path)}: ${message}` });
  }
  return faults;
}

/** Enough of the shape is there for the relations to be looked at; malformed leaves are theirs to tolerate. */
function isComplete(options: unknown): options is InstallOptions {
  const cluster = typeof options === 'object' && options !== null && 'cluster' in options ? options.cluster : undefined;
  return typeof cluster === 'object' && cluster !== null && 'paths' in cluster && 'ports' in cluster;
}

/** The likely remedy, where the value shows what was meant. */
function advise(path: string, value: unknown): string {
  if (typeof value !== 'string') return '';
  if (path.endsWith('Cidr')) {
    const range = readIpv4Range(value);
    return range === undefined || formatCidr(range) === value ? '' : ` (did you mean ${formatCidr(range)}?)`;
  }
  const choices = rows.find((row) => row.path === path)?.choices;
  if (choices !== undefined) {
    const near = nearestName(value, choices);
    return near === undefined ? '' : ` (did you mean ${near}?)`;
  }
  return '';
}
