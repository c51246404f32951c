import { type Host, readHostText } from '../host/host.js';

/** The distribution, from os-release(5). */
export interface OsRelease {
  /** Lower case, such as `debian`; `linux` where nothing says so. */
  readonly id: string;
  /** The distributions that it derives from, nearest first. */
  readonly idLike: readonly string[];
  readonly prettyName: string;
}

/** Reads shell-like assignments; quotes are taken off, unknown lines ignored. */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z0-9_]+)=(.*?)\s*$/.exec(line);
    if (match?.[1] === undefined) continue;
    values.set(match[1], (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2').replace(/\\(["'`$\\])/g, '$1'));
  }
  const id = (values.get('ID') ?? 'linux').toLowerCase();
  const idLike = (values.get('ID_LIKE') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return { id, idLike, prettyName: values.get('PRETTY_NAME') ?? id };
}

/** This machine's distribution; `/usr/lib/os-release` is where the file is when /etc has none. */
export async function readOsRelease(host: Pick<Host, 'root'>): Promise<OsRelease> {
  const text = (await readHostText(host, '/etc/os-release')) ?? (await readHostText(host, '/usr/lib/os-release'));
  return parseOsRelease(text ?? '');
}
