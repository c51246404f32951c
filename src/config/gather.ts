import { parseConfigFile } from './config-file.js';
import { convertValue } from './convert.js';
import { type Environment, environmentValue } from './environment.js';
import type { ConfigFile } from './find-config-files.js';
import type { HostFacts } from './host-facts.js';
import { flagName, type OptionPath, type OptionSpec, optionTable } from './option-table.js';

/** Where options come from: flags beat variables, variables beat files, an earlier file beats a later one. */
export interface OptionSources {
  /** Only those that were given, by path; texts as typed. */
  readonly flags: Readonly<Partial<Record<OptionPath, unknown>>>;
  readonly env: Environment;
  readonly files: readonly ConfigFile[];
  readonly host: HostFacts;
}

export interface GatheredOption {
  readonly value: unknown;
  /** `--api-port`, `HYPERUP_API_PORT` or `cluster.apiPort in FILE`. */
  readonly source: string;
  readonly fromFlag: boolean;
}

export interface Gathered {
  readonly options: ReadonlyMap<OptionPath, GatheredOption>;
  /** What is wrong with the files as such: unreadable, malformed, unknown keys. */
  readonly faults: readonly string[];
}

const rows: readonly (OptionSpec & { readonly path: OptionPath })[] = optionTable;

/** Every option that is set anywhere, its value converted to its type, with the source that won. */
export function gatherOptions(sources: OptionSources): Gathered {
  const { flags, env, files, host } = sources;
  const parsed = files.map(parseConfigFile);
  const fileValues = parsed.flatMap((file) => file.values);
  const options = new Map<OptionPath, GatheredOption>();
  for (const row of rows) {
    const flag = flags[row.path];
    const variable = row.env === undefined ? undefined : environmentValue(env, row.env);
    const fromFile = fileValues.find((value) => value.path === row.path);
    const found =
      flag !== undefined
        ? { value: flag, source: flagName(row) ?? row.path, fromFlag: true }
        : variable !== undefined
          ? { value: variable, source: row.env ?? row.path, fromFlag: false }
          : fromFile && { value: fromFile.value, source: fromFile.source, fromFlag: false };
    if (found !== undefined) options.set(row.path, { ...found, value: convertValue(row.kind, found.value, host) });
  }
  return { options, faults: parsed.flatMap((file) => file.faults) };
}

/** The names of all variables that are read as options, and HYPERUP_CONFIG. */
export const optionVariables: readonly string[] = [...rows.flatMap((row) => row.env ?? []), 'HYPERUP_CONFIG'];
