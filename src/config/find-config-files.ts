import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errnoOf, messageOf } from '../base/errors.js';
import { type Environment, environmentValue } from './environment.js';

/** A config file's text, or why it could not be read. */
export type ConfigFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly failure: string };

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
