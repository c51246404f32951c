import { isAbsolute } from 'node:path';
import type { ProgressEvent } from '../base/progress.js';
import { checkOptions } from './check-options.js';
import { flagContradictions } from './contradictions.js';
import { type DeepPartial, makeDefaults } from './defaults.js';
import { type Environment, readEnvironment } from './environment.js';
import { type Fault, faultsError } from './faults.js';
import { type Gathered, gatherOptions, type OptionSources, optionVariables } from './gather.js';
import { readHostFacts } from './host-facts.js';
import { nearestName } from './nearest.js';
import type { OptionPath } from './option-table.js';
import type { KnownNames } from './relations.js';
import type { ClusterQuery, InstallOptions } from './types.js';

export type Note = Extract<ProgressEvent, { readonly type: 'note' }>;

export interface ResolveSources extends OptionSources {
  readonly known: KnownNames;
}

export interface Resolved<T> {
  readonly options: T;
  /** What the user should know though nothing is wrong. */
  readonly notes: readonly Note[];
}

/**
 * Everything that an install needs, from flags, HYPERUP_* variables, config files and defaults, in that order.
 *
 * @throws HyperupError `Usage` or `InvalidConfig`, listing every fault at once
 */
export function resolveInstallOptions(sources: ResolveSources): Resolved<InstallOptions> {
  const gathered = gatherOptions(sources);
  const raw = assemble(gathered, sources, sources.known);
  const faults = [
    ...flagContradictions(sources.flags),
    ...fileFaults(gathered),
    ...valueFaults(raw, gathered, sources.known),
  ];
  if (faults.length > 0) throw faultsError(faults);
  return { options: raw, notes: collectNotes(gathered, sources) };
}

/** The options that verbs on an existing cluster depend on. */
const queryPaths: readonly OptionPath[] = ['cluster.paths.stateDir', 'engineHost', 'timeoutMs'];

/**
 * What `status`, `verify`, `logs`, `uninstall` and `kubeconfig` need. Faults of options that only an install reads are
 * passed over, so that a cluster can be seen and removed with a config file that no longer fits.
 *
 * @throws HyperupError `Usage` or `InvalidConfig`, listing every fault at once
 */
export function resolveQuery(sources: OptionSources): Resolved<ClusterQuery> {
  const gathered = gatherOptions(sources);
  const raw = assemble(gathered, sources);
  const all = checkOptions(raw, {}, namer(gathered));
  const own = all.filter((fault) => queryPaths.some((path) => path === fault.path));
  const faults = [
    ...fileFaults(gathered),
    ...own.map((fault) => ({ ...fault, fromFlag: isFromFlag(gathered, fault.path) })),
  ];
  if (faults.length > 0) throw faultsError(faults);
  const options = { stateDir: raw.cluster.paths.stateDir, engineHost: raw.engineHost, timeoutMs: raw.timeoutMs };
  return { options, notes: unknownVariableNotes(sources.env) };
}

/**
 * What `resolveTransferOptions` gives, from any sources. Faults of options that only an install reads are passed over.
 *
 * @throws HyperupError `Usage` or `InvalidConfig`, listing every fault at once
 */
export function resolveImageOptions(sources: OptionSources): Resolved<Pick<InstallOptions, 'images' | 'engineHost'>> {
  const gathered = gatherOptions(sources);
  const raw = assemble(gathered, sources);
  const { images, engineHost } = raw;
  const all = checkOptions(raw, {}, namer(gathered));
  const own = all.filter(({ path }) => path.startsWith('images.') || path === 'engineHost');
  const faults = [
    ...fileFaults(gathered),
    ...own.map((fault) => ({ ...fault, fromFlag: isFromFlag(gathered, fault.path) })),
  ];
  if (faults.length > 0) throw faultsError(faults);
  return { options: { images, engineHost }, notes: unknownVariableNotes(sources.env) };
}

/** The kubeconfig that `kubeconfig merge` and `remove` work on: the flag, HYPERUP_KUBECONFIG, the file, the default. */
export function resolveKubeconfigPath(sources: OptionSources): string {
  const raw = assemble(gatherOptions(sources), sources);
  return raw.kubeconfigPath;
}

/**
 * Valid options for library callers: this host's defaults with `overrides` on top. HYPERUP_* variables and config files
 * are not read.
 *
 * @throws HyperupError `InvalidConfig`, listing every fault at once
 */
export function defaultInstallOptions(
  overrides: DeepPartial<InstallOptions> = {},
  known: KnownNames = {},
): InstallOptions {
  const env = readEnvironment();
  const { apiPort, paths } = overrides.cluster ?? {};
  const raw = mergeOver(makeDefaults(readHostFacts(env), env, { stateDir: paths?.stateDir, apiPort }), overrides);
  const faults = checkOptions(raw, known);
  if (faults.length > 0) throw faultsError(faults.map((fault) => ({ ...fault, fromFlag: false })));
  return raw;
}

/** Defaults, overlaid with what was set. The type is a promise that only `checkOptions` redeems. */
function assemble(gathered: Gathered, sources: OptionSources, known: KnownNames = {}): InstallOptions {
  const stateDir = gathered.options.get('cluster.paths.stateDir')?.value;
  const apiPort = gathered.options.get('cluster.apiPort')?.value;
  const defaults = makeDefaults(sources.host, sources.env, {
    stateDir: typeof stateDir === 'string' && isAbsolute(stateDir) ? stateDir : undefined,
    apiPort: typeof apiPort === 'number' ? apiPort : undefined,
  });
  let raw = defaults;
  for (const [path, { value }] of gathered.options) {
    const nested = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), adjust(path, value, known));
    raw = mergeOver(raw, nested as object);
  }
  return raw;
}

/** A version may be written without its v, and `1.20` means the newest patch known. */
function adjust(path: OptionPath, value: unknown, known: KnownNames): unknown {
  if (path !== 'cluster.kubernetesVersion' || typeof value !== 'string') return value;
  const version = value.replace(/^(?=\d)/, 'v');
  if (!/^v\d+\.\d+$/.test(version)) return version;
  const patchOf = (full: string) => Number(full.slice(version.length + 1));
  const patches = (known.releases ?? [])
    .map((release) => release.version)
    .filter((full) => full.startsWith(`${version}.`));
  return patches.toSorted((a, b) => patchOf(a) - patchOf(b)).at(-1) ?? version;
}

/** A copy of `base` with `over`'s leaves in it. Leaves keep their type only if `over` has it: check afterwards. */
function mergeOver<T extends object>(base: T, over: object): T {
  const merged = { ...base } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    const nested = isMapping(value) && isMapping(below);
    if (value !== undefined) merged[key] = nested ? mergeOver(below, value) : value;
  }
  return merged as T;
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fileFaults(gathered: Gathered): readonly Fault[] {
  return gathered.faults.map((message) => ({ message, fromFlag: false }));
}

function valueFaults(raw: unknown, gathered: Gathered, known: KnownNames): readonly Fault[] {
  return checkOptions(raw, known, namer(gathered)).map(({ path, message }) => ({
    message: remedy(path, message, gathered),
    fromFlag: isFromFlag(gathered, path),
  }));
}

/** A default that doesn't fit was taken from the host: say so, and with which flag to replace it. */
function remedy(path: string, message: string, gathered: Gathered): string {
  if (path !== 'cluster.nodeName' || gathered.options.has('cluster.nodeName')) return message;
  return `${message}; it is this host's name: pass --node-name`;
}

function namer(gathered: Gathered): (path: string) => string {
  return (path) => gathered.options.get(path as OptionPath)?.source ?? path;
}

function isFromFlag(gathered: Gathered, path: string): boolean {
  return gathered.options.get(path as OptionPath)?.fromFlag ?? false;
}

function collectNotes(gathered: Gathered, { env, host }: ResolveSources): readonly Note[] {
  const notes: Note[] = [...unknownVariableNotes(env)];
  if (host.sudoUser !== undefined && !gathered.options.has('kubeconfigPath')) {
    notes.push({
      type: 'note',
      level: 'info',
      message: `running under sudo: the kubeconfig is root's, not ${host.sudoUser}'s`,
      hint: `Pass --kubeconfig ~${host.sudoUser}/.kube/config to have it there.`,
    });
  }
  if (host.nodeAddress === undefined && !gathered.options.has('cluster.nodeAddress')) {
    notes.push({
      type: 'note',
      level: 'warn',
      message: 'this host has no address but loopback ones: pods will not reach the API server',
      hint: 'Give it one, such as "ip address add 192.168.255.1/32 dev lo", or pass --node-address.',
    });
  }
  return notes;
}

/** A misspelt variable would otherwise be passed over in silence. */
function unknownVariableNotes(env: Environment): readonly Note[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('HYPERUP_') && !optionVariables.includes(name))
    .flatMap((name) => {
      const near = nearestName(
        name.slice('HYPERUP_'.length),
        optionVariables.map((variable) => variable.slice('HYPERUP_'.length)),
      );
      if (near === undefined) return [];
      return [
        {
          type: 'note',
          level: 'warn',
          message: `${name} is no variable of hyperup: did you mean HYPERUP_${near}?`,
        } as const,
      ];
    });
}
