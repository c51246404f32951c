import { isAbsolute } from 'node:path';
import { convertValue } from './convert.js';
import { makeDefaults } from './defaults.js';
import { environmentValue } from './environment.js';
import type { OptionSources } from './gather.js';
import { type OptionPath, optionSpec } from './option-table.js';
import type { KnownNames } from './relations.js';
import type { Resolved } from './resolve-options.js';
import type { ClusterOptions, InstallOptions } from './types.js';

/** What verbs need that move images. */
export type TransferOptions = Pick<InstallOptions, 'images' | 'engineHost'>;

/** What verbs need that move the images of a release. */
export interface SetOptions extends TransferOptions {
  readonly cluster: Pick<ClusterOptions, 'kubernetesVersion' | 'kubelet'>;
}

/**
 * The options of verbs that move images. Copies are made by scripts, many of them: where there is no config file and
 * nothing is given but mirrors and a lock, the schema, which takes as long to load as a small copy, is done without.
 *
 * @throws HyperupError `Usage` or `InvalidConfig`, listing every fault at once
 */
export async function resolveTransferOptions(sources: OptionSources): Promise<Resolved<TransferOptions>> {
  const plain = plainOptions(sources);
  if (plain !== undefined) return { options: plain, notes: [] };
  return (await import('./resolve-options.js')).resolveImageOptions(sources);
}

/**
 * As `resolveTransferOptions`, with the release. `loadKnown`: the names that an install knows, where they are needed.
 *
 * @throws HyperupError `Usage` or `InvalidConfig`, listing every fault at once
 */
export async function resolveSetOptions(
  sources: OptionSources,
  loadKnown: () => Promise<KnownNames>,
): Promise<Resolved<SetOptions>> {
  const plain = plainOptions(sources);
  if (plain !== undefined) return { options: plain, notes: [] };
  const [{ resolveInstallOptions }, known] = await Promise.all([import('./resolve-options.js'), loadKnown()]);
  return resolveInstallOptions({ ...sources, known });
}

/** The few that are checked in a line each; `dryRun` is the verb's own. */
const plainPaths: readonly OptionPath[] = ['images.mirrors', 'images.lock', 'dryRun'];

/** Undefined where anything is given that takes more to check. */
function plainOptions({ flags, env, files, host }: OptionSources): SetOptions | undefined {
  const given = Object.keys(flags);
  const variables = Object.keys(env).filter((name) => name.startsWith('HYPERUP_'));
  const known = plainPaths.flatMap((path) => optionSpec(path).env ?? []);
  if (files.length > 0 || given.some((path) => !plainPaths.some((plain) => plain === path))) return undefined;
  if (variables.some((name) => !known.includes(name))) return undefined;
  const valueAt = (path: OptionPath) => {
    const { kind, env: variable } = optionSpec(path);
    const value = flags[path] ?? (variable === undefined ? undefined : environmentValue(env, variable));
    return value === undefined ? undefined : convertValue(kind, value, host);
  };
  const { images, engineHost, cluster } = makeDefaults(host, env);
  const [mirrors, lock] = [valueAt('images.mirrors') ?? [], valueAt('images.lock')];
  if (!Array.isArray(mirrors) || !mirrors.every((mirror) => typeof mirror === 'string' && mirror !== ''))
    return undefined;
  if (lock !== undefined && (typeof lock !== 'string' || !isAbsolute(lock))) return undefined;
  if (!isAbsolute(images.cacheDir)) return undefined;
  return { images: { ...images, mirrors, lock }, engineHost, cluster };
}
