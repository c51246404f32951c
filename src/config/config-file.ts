import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { load, YAMLException } from 'js-yaml';
import { errnoOf, messageOf } from '../base/errors.js';
import { type Environment, environmentValue } from './environment.js';
import { nearestName } from './nearest.js';
import { type OptionPath, type OptionSpec, optionTable } from './option-table.js';

/** A config file's text, or why it could not be read. */
export type ConfigFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly failure: string };

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

/** The files that are read where none is named, the user's first. */
export function defaultConfigFiles(env: Environment, homeDir: string): readonly string[] {
  const userDir = environmentValue(env, 'XDG_CONFIG_HOME') ?? join(homeDir, '.config');
  return [join(userDir, 'hyperup/config.yaml'), '/etc/hyperup/config.yaml'];
}

/**
 * Reads the named file (`--config`, else HYPERUP_CONFIG), or else the default ones that exist. Never throws: a file
 * that can't be read becomes a fault beside the others.
 */
export async function readConfigFiles(
  named: string | undefined,
  env: Environment,
  host: { readonly homeDir: string; readonly workingDir: string },
): Promise<readonly ConfigFile[]> {
  const explicit = named ?? environmentValue(env, 'HYPERUP_CONFIG');
  const paths =
    explicit === undefined
      ? defaultConfigFiles(env, host.homeDir)
      : [resolve(host.workingDir, expandHome(explicit, host))];
  const files: ConfigFile[] = [];
  for (const path of paths) {
    try {
      files.push({ path, text: await readFile(path, 'utf8') });
    } catch (error) {
      const absent = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
      if (explicit !== undefined || !absent) files.push({ path, failure: messageOf(error) });
    }
  }
  return files;
}

function expandHome(path: string, host: { readonly homeDir: string }): string {
  return path.startsWith('~/') ? join(host.homeDir, path.slice(2)) : path;
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
