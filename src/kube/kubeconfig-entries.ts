import { isDeepStrictEqual } from 'node:util';
import { HyperupError } from '../base/errors.js';
import type { Kubeconfig, NamedCluster, NamedContext, NamedExtension, NamedUser } from './kubeconfig.js';

/** The extension that marks an entry as ours, so that what is removed is never found by its name alone. */
const markName = 'hyperup.io/entry';

type NamedEntry = NamedCluster | NamedUser | NamedContext;
type Body = { readonly extensions?: readonly NamedExtension[] };

function bodyOf(entry: NamedEntry): Body {
  if ('cluster' in entry) return entry.cluster;
  return 'user' in entry ? entry.user : entry.context;
}

function isOurs(entry: NamedEntry, entryName: string): boolean {
  return (bodyOf(entry).extensions ?? []).some(
    ({ name, extension }) => name === markName && isDeepStrictEqual(extension, { entry: entryName }),
  );
}

function withMark<T extends Body>(body: T, entryName: string): T {
  const others = (body.extensions ?? []).filter(({ name }) => name !== markName);
  return { ...body, extensions: [...others, { name: markName, extension: { entry: entryName } }] };
}

export interface MergedKubeconfig {
  readonly config: Kubeconfig;
  /** The current-context before, where there was one that isn't ours. */
  readonly previousContext: string | undefined;
}

/**
 * Adds `addition`'s entries to a kubeconfig, marked, in the place of our earlier ones. Everything else keeps its place
 * and fields. Pure. Throws `AlreadyExists` where an entry of that name is not ours and says something else.
 */
export function mergeEntries(
  existing: Kubeconfig,
  addition: Kubeconfig,
  entryName: string,
  setCurrent: boolean,
): MergedKubeconfig {
  const taken: string[] = [];
  const merge = <T extends NamedEntry>(list: readonly T[], added: readonly T[]): T[] => {
    const left = [...added];
    const result: T[] = [];
    for (const entry of list) {
      const at = left.findIndex((one) => one.name === entry.name);
      const [replacement] = at < 0 ? [] : left.splice(at, 1);
      if (replacement === undefined) {
        if (!isOurs(entry, entryName)) result.push(entry);
        continue;
      }
      const same = isDeepStrictEqual({ ...bodyOf(entry), extensions: [] }, { ...bodyOf(replacement), extensions: [] });
      if (!isOurs(entry, entryName) && !same)
        taken.push(`${'user' in entry ? 'user' : 'cluster' in entry ? 'cluster' : 'context'} ${entry.name}`);
      result.push(replacement);
    }
    return [...result, ...left];
  };
  const config: Kubeconfig = {
    ...existing,
    apiVersion: existing.apiVersion ?? 'v1',
    kind: existing.kind ?? 'Config',
    clusters: merge(
      existing.clusters ?? [],
      (addition.clusters ?? []).map((entry) => ({ ...entry, cluster: withMark(entry.cluster, entryName) })),
    ),
    users: merge(
      existing.users ?? [],
      (addition.users ?? []).map((entry) => ({ ...entry, user: withMark(entry.user, entryName) })),
    ),
    contexts: merge(
      existing.contexts ?? [],
      (addition.contexts ?? []).map((entry) => ({ ...entry, context: withMark(entry.context, entryName) })),
    ),
    ...(setCurrent && addition['current-context'] !== undefined
      ? { 'current-context': addition['current-context'] }
      : {}),
  };
  if (taken.length > 0) {
    throw new HyperupError('AlreadyExists', `add ${entryName} to kubeconfig: it has ${taken.join(', ')} of its own`, {
      hint: 'Choose another cluster name, another kubeconfig, or rename the entries that are there.',
      details: { taken },
    });
  }
  const before = existing['current-context'];
  return { config, previousContext: !before || isOurContext(existing, before, entryName) ? undefined : before };
}

function isOurContext(config: Kubeconfig, contextName: string, entryName: string): boolean {
  const context = (config.contexts ?? []).find(({ name }) => name === contextName);
  if (!context) return false;
  if (isOurs(context, entryName)) return true;
  // A context of the user's own to our cluster is useless without it.
  const cluster = (config.clusters ?? []).find(({ name }) => name === context.context.cluster);
  return cluster !== undefined && isOurs(cluster, entryName);
}

/**
 * Takes our marked entries out, whatever they are called by now, and points current-context back to `previousContext`
 * where it points at us and that one still exists. Pure; gives the same object back where nothing of ours is in it.
 */
export function removeEntries(
  existing: Kubeconfig,
  entryName: string,
  previousContext: string | undefined,
): Kubeconfig {
  const others = <T extends NamedEntry>(list: readonly T[] | null | undefined) =>
    (list ?? []).filter((entry) => !isOurs(entry, entryName));
  const config: Kubeconfig = {
    ...existing,
    clusters: others(existing.clusters),
    users: others(existing.users),
    contexts: others(existing.contexts),
  };
  const counts = (of: Kubeconfig) => [of.clusters, of.users, of.contexts].map((list) => list?.length ?? 0);
  if (isDeepStrictEqual(counts(config), counts(existing))) return existing;
  const current = existing['current-context'];
  if (!current || !isOurContext(existing, current, entryName)) return config;
  const known = (config.contexts ?? []).some(({ name }) => name === previousContext);
  return { ...config, 'current-context': known && previousContext !== undefined ? previousContext : '' };
}

/** True where nothing in it would be missed. */
export function isEmptyKubeconfig(config: Kubeconfig): boolean {
  return sameKubeconfig(config, {});
}

/** True where both mean the same to kubectl, however they are written. */
export function sameKubeconfig(a: Kubeconfig, b: Kubeconfig): boolean {
  return isDeepStrictEqual(essence(a), essence(b));
}

function essence(config: Kubeconfig): Record<string, unknown> {
  const kept = Object.entries(config).filter(([key, value]: [string, unknown]) => {
    if (key === 'apiVersion' || key === 'kind' || value === undefined || value === null || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  });
  return Object.fromEntries(kept);
}

/** Names of all entries that hyperup did not make, each with its list, to tell what one file has that another lacks. */
export function foreignEntryNames(config: Kubeconfig): readonly string[] {
  const foreign = (entries: readonly NamedEntry[] | null | undefined) =>
    (entries ?? []).filter((entry) => !(bodyOf(entry).extensions ?? []).some(({ name }) => name === markName));
  return [
    ...foreign(config.clusters).map(({ name }) => `cluster ${name}`),
    ...foreign(config.users).map(({ name }) => `user ${name}`),
    ...foreign(config.contexts).map(({ name }) => `context ${name}`),
  ];
}
