import { isIP } from 'node:net';
import { cidrContains } from '../../base/cidr.js';

/** Ranges that no public registry has an address in, and what they are (RFC 6890 and its successors). */
const reserved: readonly { readonly range: string; readonly what: string }[] = [
  { range: '0.0.0.0/8', what: 'no address at all' },
  { range: '10.0.0.0/8', what: 'a private address' },
  { range: '100.64.0.0/10', what: "an address of a provider's inner network" },
  { range: '127.0.0.0/8', what: 'this machine itself' },
  { range: '169.254.0.0/16', what: 'a link-local address' },
  { range: '172.16.0.0/12', what: 'a private address' },
  { range: '192.0.2.0/24', what: 'an address for documentation' },
  { range: '192.168.0.0/16', what: 'a private address' },
  { range: '198.18.0.0/15', what: 'a made-up address, as transparent proxies give them: check that proxy' },
  { range: '198.51.100.0/24', what: 'an address for documentation' },
  { range: '203.0.113.0/24', what: 'an address for documentation' },
  { range: '224.0.0.0/3', what: 'an address that no host can have' },
  { range: '::/127', what: 'this machine itself' },
  { range: 'fc00::/7', what: 'a private address' },
  { range: 'fe80::/10', what: 'a link-local address' },
  { range: '2001:db8::/32', what: 'an address for documentation' },
];

/**
 * Networks of companies that serve no registry, and single addresses, which filters in mainland China answer with.
 * Source: Hoang et al., "How Great is the Great Firewall? Measuring China's DNS Censorship" (USENIX Security 2021), and
 * the lists of false answers that resolvers are configured to drop.
 */
const madeUp: readonly string[] = [
  ...['31.13.64.0/18', '66.220.144.0/20', '69.63.176.0/20', '69.171.224.0/19', '157.240.0.0/16', '173.252.64.0/18'],
  ...['199.16.156.0/22', '199.59.148.0/22', '104.244.40.0/21', '108.160.160.0/20', '162.125.0.0/16'],
  ...['8.7.198.45/32', '37.61.54.158/32', '46.82.174.68/32', '59.24.3.173/32', '78.16.49.15/32', '93.46.8.89/32'],
  ...['128.121.126.139/32', '159.106.121.75/32', '169.132.13.103/32', '192.67.198.6/32', '202.106.1.2/32'],
  ...['202.181.7.85/32', '203.161.230.171/32', '203.98.7.65/32', '207.12.88.98/32', '208.56.31.43/32'],
  ...['209.145.54.50/32', '209.220.30.174/32', '209.36.73.33/32', '211.94.66.147/32', '213.169.251.35/32'],
  ...['216.221.188.182/32', '216.234.179.13/32', '2001::/32'],
];

/**
 * What is odd about the addresses that a registry's name resolves to; undefined: nothing. `bogus` are those that a name
 * resolves to which can't exist. Only worth asking where the registry doesn't answer as one: companies do give their
 * inner registries public names. Pure.
 */
export function poisonedDns(host: string, addresses: readonly string[], bogus: readonly string[]): string | undefined {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (isIP(name) !== 0 || !isPublicName(name)) return undefined;
  const everyone = addresses.find((address) => bogus.includes(address));
  if (everyone !== undefined) {
    return `DNS poisoned: ${name} resolves to ${everyone} here, as do names that don't exist`;
  }
  for (const address of addresses) {
    const odd = reserved.find(({ range }) => contains(range, address));
    if (odd) return `DNS poisoned: ${name} resolves to ${address} here, ${odd.what}`;
    if (madeUp.some((range) => contains(range, address))) {
      return `DNS poisoned: ${name} resolves to ${address} here, an address that filters are known to answer with`;
    }
  }
  return undefined;
}

/** Names below a domain that only inner networks have may well be private. */
function isPublicName(name: string): boolean {
  return name.includes('.') && !/\.(?:local|lan|internal|intranet|corp|home|test|localhost|invalid|arpa)$/i.test(name);
}

function contains(range: string, address: string): boolean {
  return range.includes(':') === address.includes(':') && cidrContains(range, address);
}
