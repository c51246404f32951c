import { hasDnsAddress } from '../config/dns-address.js';
import type { ClusterOptions, DnsKind } from '../config/types.js';
import type { ClusterRecord } from './cluster-record.js';

/** The DNS servers that are tried, first to last. */
export type DnsPlan = readonly [DnsKind, ...DnsKind[]];

/**
 * Which server answers for the cluster's names. `auto` is CoreDNS where its image is to be had without asking anybody whom
 * the user has not named, else hyperup's own; on a cluster that is there it is what that has. Pure.
 */
export function planDns(
  { dns, serviceCidr }: Pick<ClusterOptions, 'dns' | 'serviceCidr'>,
  record?: Pick<ClusterRecord, 'dns'> & { readonly cluster: Partial<Pick<ClusterOptions, 'dns'>> },
): DnsPlan {
  if (dns !== 'auto') return [dns];
  if (!hasDnsAddress(serviceCidr)) return ['none'];
  const isSettled = record !== undefined && (record.cluster.dns ?? 'auto') === 'auto';
  const found = isSettled ? (record.dns ?? 'none') : 'coredns';
  return found === 'coredns' ? ['coredns', 'builtin'] : [found];
}

/** Mirrors to ask for an image that another can stand in for: those that the user has named, and no other. */
export function namedMirrors(mirrors: readonly string[]): readonly string[] {
  return mirrors.includes('upstream') || mirrors.includes('none') ? mirrors : [...mirrors, 'none'];
}
