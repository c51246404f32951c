import type { V1Pod } from '../../kube/pod-objects.js';

/** The content of a resolv.conf(5). */
export interface ResolverConfig {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** `ndots:5`. */
  readonly options: readonly string[];
}

/** Reads one: name servers add up, the last `search` and `options` lines count (v1.20 `network/dns/dns.go` `parseResolvConf`). */
export function parseResolvConf(text: string): ResolverConfig {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (keyword === 'nameserver' && first !== undefined) nameservers.push(first);
    // With and without the dot it is one domain; a lone dot stays.
    if (keyword === 'search') searches = values.map((domain) => (domain === '.' ? domain : domain.replace(/\.$/, '')));
    if (keyword === 'options') options = values;
  }
  return { nameservers, searches, options };
}

/** Writes one; empty where it says nothing. */
export function formatResolvConf({ nameservers, searches, options }: ResolverConfig): string {
  const lines = nameservers.map((address) => `nameserver ${address}`);
  if (searches.length > 0) lines.push(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

/** What the pod adds: servers and domains behind, each once; an option of the same name replaces (`appendDNSConfig`). */
export function mergeDnsConfig(
  base: ResolverConfig,
  dnsConfig: NonNullable<NonNullable<V1Pod['spec']>['dnsConfig']>,
): ResolverConfig {
  const options = new Map<string, string>();
  for (const option of base.options) {
    const colon = option.indexOf(':');
    if (colon < 0) options.set(option, '');
    else options.set(option.slice(0, colon), option.slice(colon + 1));
  }
  for (const { name = '', value = '' } of dnsConfig.options ?? []) options.set(name, value);
  return {
    nameservers: unique([...base.nameservers, ...(dnsConfig.nameservers ?? [])]),
    searches: unique([...base.searches, ...(dnsConfig.searches ?? [])]),
    options: [...options].map(([name, value]) => (value === '' ? name : `${name}:${value}`)),
  };
}

/** The pod's Service domains, then the host's (`generateSearchesForDNSClusterFirst`). */
export function clusterSearches(namespace: string, clusterDomain: string, hostSearches: readonly string[]): string[] {
  if (clusterDomain === '') return [...hostSearches];
  return unique([`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain, ...hostSearches]);
}

/** What of the domains fits: that many, and in that many characters with the blanks between. */
export function fitSearches(
  searches: readonly string[],
  limits: { readonly domains: number; readonly characters: number },
): readonly string[] {
  let fitting = searches.slice(0, limits.domains);
  while (fitting.join(' ').length > limits.characters) fitting = fitting.slice(0, -1);
  return fitting;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
