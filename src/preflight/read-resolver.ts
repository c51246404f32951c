import { type Host, readHostText } from '../host/host.js';
import type { ResolverFact } from './facts.js';
import { isLoopback } from './loopback.js';

/** Files that name the real servers where /etc/resolv.conf names a local cache: systemd-resolved, NetworkManager. */
const alternatives = ['/run/systemd/resolve/resolv.conf', '/run/NetworkManager/no-stub-resolv.conf'] as const;

export interface ResolverFile {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
}

/** Reads resolv.conf(5): the last `search` or `domain` line counts. */
export function parseResolvConf(text: string): ResolverFile {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    const [first] = values;
    if (keyword === 'nameserver' && first !== undefined) nameservers.push(first);
    if (keyword === 'search' || keyword === 'domain') searches = values;
  }
  return { nameservers, searches };
}

/**
 * Reads the resolver's files and chooses the one for pods: /etc/resolv.conf, unless it names a loopback address (which
 * in a pod is the pod itself, so that the cluster's DNS asks itself for ever) and another file names real servers.
 */
export async function readResolver(host: Pick<Host, 'root'>): Promise<ResolverFact> {
  const path = '/etc/resolv.conf';
  const text = await readHostText(host, path);
  const own = text === undefined ? undefined : parseResolvConf(text);
  const fact = (chosen: string, file: ResolverFile | undefined): ResolverFact => ({
    path,
    nameservers: own?.nameservers,
    searches: file?.searches ?? [],
    chosen,
    chosenNameservers: file?.nameservers ?? [],
  });
  if (own && own.nameservers.length > 0 && !own.nameservers.some(isLoopback)) return fact(path, own);
  for (const other of alternatives) {
    const file = parseResolvConf((await readHostText(host, other)) ?? '');
    if (file.nameservers.length > 0 && !file.nameservers.some(isLoopback)) return fact(other, file);
  }
  return fact(path, own);
}
