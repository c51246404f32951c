import { load, YAMLException } from 'js-yaml';
import { messageOf } from '../base/errors.js';
import type { ConfigFile } from './find-config-files.js';
import { nearestName } from './nearest.js';
import { type OptionPath, type OptionSpec, optionTable } from './option-table.js';

export interface ConfigFileValue {
  readonly path: OptionPath;
  readonly value: unknown;
  /** `cluster.apiPort in /etc/hyperup/config.yaml`. */
  readonly source: string;
}

export interface ParsedConfigFile {
  readonly values: readonly ConfigFileValue[];
  readonly faults: readonly string[];
}

const rows: readonly (OptionSpec & { readonly path: OptionPath })[] = optionTable;
const keys = rows.flatMap((row) => row.file ?? []);

/** The options that a config file sets, in the file's order. Values are as YAML gave them. */
export function parseConfigFile(file: ConfigFile): ParsedConfigFile {
  if ('failure' in file) return { values: [], faults: [`read ${file.path}: ${file.failure}`] };
  let root: unknown;
  try {
    root = load(file.text, { filename: file.path });
  } catch (error) {
    return { values: [], faults: [`parse ${file.path}: ${yamlMessage(error)}`] };
  }
  const values: ConfigFileValue[] = [];
  const faults: string[] = [];
  const walk = (node: unknown, prefix: string) => {
    if (node === undefined || node === null) return;
    if (typeof node !== 'object' || Array.isArray(node)) {
      const where = prefix === '' ? file.path : `${prefix} in ${file.path}`;
      faults.push(`${where}: got ${Array.isArray(node) ? 'a list' : JSON.stringify(node)}, want a mapping`);
      return;
    }
    for (const [name, value] of Object.entries(node)) {
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const row = rows.find((candidate) => candidate.file === key);
      if (row !== undefined) {
        if (value !== null) values.push({ path: row.path, value, source: `${key} in ${file.path}` });
      } else if (keys.some((candidate) => candidate.startsWith(`${key}.`))) walk(value, key);
      else faults.push(unknownKey(key, file.path));
    }
  };
  walk(root, '');
  return { values, faults };
}

function unknownKey(key: string, path: string): string {
  const near = nearestName(key, keys);
  const suggestion = near === undefined ? `known keys are ${keys.join(', ')}` : `did you mean ${near}?`;
  return `${key} in ${path}: unknown key; ${suggestion}`;
}

function yamlMessage(error: unknown): string {
  if (!(error instanceof YAMLException)) return messageOf(error);
  const mark = error.mark;
  return mark ? `line ${mark.line + 1}, column ${mark.column + 1}: ${error.reason}` : error.reason;
}
