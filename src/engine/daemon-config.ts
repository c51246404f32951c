import { formatCidr, parseCidr } from '../base/cidr.js';
import { HyperupError, messageOf } from '../base/errors.js';

/** Keys of daemon.json that hyperup adds to. Both can be changed while the engine runs (moby `daemon/reload.go`). */
export type DaemonListKey = 'registry-mirrors' | 'insecure-registries';

export type DaemonLists = Readonly<Partial<Record<DaemonListKey, readonly string[]>>>;

export interface DaemonConfigChange {
  /** The whole new text; the same as before where nothing is missing. */
  readonly text: string;
  /** What is new, by key; a key without news is absent. */
  readonly added: DaemonLists;
}

/**
 * daemon.json with these entries added: pure. Everything that was there stays, in its order and with the file's
 * indentation. Throws `InvalidConfig` for a file that is no JSON object, or whose list is no list of strings.
 */
export function addToDaemonConfig(path: string, text: string | undefined, wanted: DaemonLists): DaemonConfigChange {
  const config = parseDaemonConfig(path, text);
  const added: Partial<Record<DaemonListKey, readonly string[]>> = {};
  for (const key of ['registry-mirrors', 'insecure-registries'] as const) {
    const present = readList(path, config, key);
    const known = new Set(present.map((entry) => canonicalEntry(entry)));
    const missing = (wanted[key] ?? []).filter((entry) => {
      const canonical = canonicalEntry(entry);
      if (known.has(canonical)) return false;
      known.add(canonical);
      return true;
    });
    if (missing.length === 0) continue;
    added[key] = missing;
    config[key] = [...present, ...missing];
  }
  if (Object.keys(added).length === 0) return { text: text ?? '', added };
  return { text: `${JSON.stringify(config, null, indentOf(text))}\n`, added };
}

/** The lists of a daemon.json as they stand. Throws `InvalidConfig` as `addToDaemonConfig` does. */
export function readDaemonLists(path: string, text: string | undefined): Required<DaemonLists> {
  const config = parseDaemonConfig(path, text);
  return {
    'registry-mirrors': readList(path, config, 'registry-mirrors'),
    'insecure-registries': readList(path, config, 'insecure-registries'),
  };
}

/** One spelling of an entry, as the engine shows it: mirrors end in a slash, ranges have no host bits. */
export function canonicalEntry(entry: string): string {
  if (/^https?:\/\//i.test(entry)) return `${entry.replace(/\/+$/, '')}/`;
  try {
    return formatCidr(parseCidr(entry));
  } catch {
    return entry;
  }
}

/**
 * Checks entries by the engine's own rules (moby `registry/config.go`), since it would refuse the whole file for one
 * of them. A mirror without a scheme gets https. Throws `InvalidConfig` naming every fault at once.
 */
export function checkEntries(wanted: DaemonLists): Required<DaemonLists> {
  const faults: string[] = [];
  const mirrors = (wanted['registry-mirrors'] ?? []).map((entry) => {
    const mirror = entry.includes('://') ? entry : `https://${entry}`;
    const fault = mirrorFault(mirror);
    if (fault) faults.push(`registry mirror "${entry}": ${fault}`);
    return mirror;
  });
  const insecure = wanted['insecure-registries'] ?? [];
  for (const entry of insecure) {
    const fault = insecureFault(entry);
    if (fault) faults.push(`insecure registry "${entry}": ${fault}`);
  }
  if (faults.length > 0) {
    throw new HyperupError('InvalidConfig', `configure the engine: ${faults.join('; ')}`, { details: { faults } });
  }
  return { 'registry-mirrors': mirrors, 'insecure-registries': insecure };
}

function mirrorFault(mirror: string): string | undefined {
  let url: URL;
  try {
    url = new URL(mirror);
  } catch {
    return 'want https://host[:port]';
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `got ${url.protocol}//, want http:// or https://`;
  if (url.username || url.password) return 'user and password are not allowed in it';
  if (url.pathname !== '/' || url.search || url.hash)
    return 'a path is not allowed: the engine takes host and port only';
  return undefined;
}

function insecureFault(entry: string): string | undefined {
  if (entry.includes('://')) return 'want host[:port] or a range of addresses, without a scheme';
  if (/^[0-9a-f.:]+\/\d+$/i.test(entry)) {
    try {
      parseCidr(entry);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }
  if (!/^(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:\d{1,5})?$/i.test(entry)) return 'want host[:port]';
  return undefined;
}

function parseDaemonConfig(path: string, text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === '') return {};
  const hint = 'The file is left as it is. Mend it by hand, or move it away.';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HyperupError('InvalidConfig', `read ${path}: it is not JSON: ${messageOf(error)}`, { hint });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HyperupError('InvalidConfig', `read ${path}: got ${JSON.stringify(value)}, want a JSON object`, { hint });
}

function readList(path: string, config: Record<string, unknown>, key: DaemonListKey): readonly string[] {
  const value = config[key] ?? [];
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value;
  throw new HyperupError('InvalidConfig', `read ${path}: ${key}: got ${JSON.stringify(value)}, want a list of texts`, {
    hint: 'The file is left as it is. Mend it by hand.',
  });
}

function indentOf(text: string | undefined): string | number {
  return /^\s*\{\s*\n([ \t]+)"/.exec(text ?? '')?.[1] ?? 2;
}
