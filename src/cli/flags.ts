import { type Command, Option } from 'commander';
import { flagName, type OptionPath, type OptionSpec, optionTable } from '../config/option-table.js';

const rows: readonly (OptionSpec & { readonly path: OptionPath })[] = optionTable;

/** Options of an install as commander wants them; those without a flag are passed over. */
export function installFlags(paths?: readonly OptionPath[]): readonly Option[] {
  return rows
    .filter((row) => row.flag !== undefined && row.path !== 'engineHost' && (paths?.includes(row.path) ?? true))
    .map((row) => flagOption(row));
}

/** The one flag of an option. */
export function flagOf(path: OptionPath): Option {
  const row = rows.find((candidate) => candidate.path === path);
  if (row?.flag === undefined) throw new TypeError(`option ${path} has no flag`);
  return flagOption(row);
}

function flagOption(row: OptionSpec): Option {
  const option = new Option(row.flag ?? '', row.help);
  if (row.kind !== 'list') return option;
  return option.argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]);
}

/** The flags that were given, on the command or above it, by their place in `InstallOptions`. */
export function givenFlags(command: Command): Partial<Record<OptionPath, unknown>> {
  const given: Partial<Record<OptionPath, unknown>> = {};
  for (let current: Command | null = command; current !== null; current = current.parent) {
    for (const option of current.options) {
      const row = rows.find((candidate) => flagName(candidate) === option.long);
      const name = option.attributeName();
      if (row !== undefined && current.getOptionValueSource(name) === 'cli')
        given[row.path] = current.getOptionValue(name);
    }
  }
  return given;
}
