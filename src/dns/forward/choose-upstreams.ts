import { isIP } from 'node:net';
import { canonicalAddress, cidrContains } from '../../base/cidr.js';
import { type Upstream, upstreamName } from './types.js';

/** Where this server listens; `0.0.0.0` and `::` mean every address of the machine. */
export type ListenAddress = Upstream;

export interface UpstreamChoice {
  readonly upstreams: readonly Upstream[];
  /** Those that would lead back here, each with the reason as a sentence's end. */
  readonly refused: readonly { readonly upstream: Upstream; readonly reason: string }[];
}

export interface UpstreamFacts {
  readonly listen: readonly ListenAddress[];
  /** Addresses of this machine's (or this pod's) own interfaces. */
  readonly ownAddresses: readonly string[];
  /** Named by hand: loopback is then meant, another port of this machine too. */
  readonly explicit: boolean;
}

/** The name servers of a resolv.conf(5), in their order, port 53. A zone of a link-local address stays with it. */
export function nameserversOf(text: string): readonly Upstream[] {
  const addresses = [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set(addresses)].filter((address) => isIP(address) !== 0).map((address) => ({ address, port: 53 }));
}

/**
 * Leaves out resolvers that are this server itself, and, where they come from a resolv.conf, those on loopback: in a pod
 * that is the pod, on the host a stub such as systemd-resolved's 127.0.0.53 that may well ask us. Pure.
 */
export function chooseUpstreams(wanted: readonly Upstream[], facts: UpstreamFacts): UpstreamChoice {
  const refused: { upstream: Upstream; reason: string }[] = [];
  const upstreams: Upstream[] = [];
  const seen = new Set<string>();
  for (const upstream of wanted) {
    const name = upstreamName(upstream);
    if (seen.has(name)) continue;
    seen.add(name);
    if (isOwn(upstream, facts)) refused.push({ upstream, reason: 'it is this server itself' });
    else if (!facts.explicit && isLoopback(upstream.address)) {
      refused.push({ upstream, reason: 'it is a loopback address, which leads back to this machine or pod' });
    } else upstreams.push(upstream);
  }
  return { upstreams, refused };
}

function isOwn(upstream: Upstream, { listen, ownAddresses }: UpstreamFacts): boolean {
  const address = canonicalAddress(upstream.address) ?? upstream.address;
  return listen.some((own) => {
    if (own.port !== upstream.port) return false;
    if (own.address !== '0.0.0.0' && own.address !== '::') return own.address === address;
    return isLoopback(address) || address === own.address || ownAddresses.includes(address);
  });
}

function isLoopback(address: string): boolean {
  const plain = canonicalAddress(address);
  return plain !== undefined && (plain === '::1' || cidrContains('127.0.0.0/8', plain));
}
