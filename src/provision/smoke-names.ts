import { Resolver } from 'node:dns/promises';
import { nthAddress } from '../base/cidr.js';
import type { ClusterOptions } from '../config/types.js';

/** What the smoke pod looks for by name. */
export interface SmokeNames {
  /** Each has this address, or the cluster's DNS does not work. */
  readonly inside: readonly string[];
  readonly address: string;
  /** A name of the world's, where this machine finds it itself. */
  readonly outside: string | undefined;
}

/** What the smoke pod says of a name. */
export type Finding = { readonly addresses: readonly string[] } | { readonly error: string };

/** One that is there as long as there is a Kubernetes to install. */
const outsideName = 'kubernetes.io.';

/** The API server's names: whole, and as pods write it. */
export function clusterNames({ clusterDomain, serviceCidr }: Pick<ClusterOptions, 'clusterDomain' | 'serviceCidr'>) {
  return {
    inside: [`kubernetes.default.svc.${clusterDomain}.`, 'kubernetes.default'],
    address: nthAddress(serviceCidr, 1),
  };
}

/** A name outside that this machine's own resolvers find within a second or two; undefined where they find none. */
export async function findOutsideName(): Promise<string | undefined> {
  try {
    await new Resolver({ timeout: 1500, tries: 1 }).resolve4(outsideName.slice(0, -1));
    return outsideName;
  } catch {
    return undefined;
  }
}

/** What is wrong with the answers about the cluster's names; undefined where nothing is. Pure. */
export function insideFault(names: SmokeNames, found: Readonly<Record<string, Finding>>): string | undefined {
  for (const name of names.inside) {
    const finding = found[name] ?? { error: 'no answer' };
    if ('error' in finding) return `the pod does not find ${name} by the cluster's DNS: ${finding.error}`;
    if (!finding.addresses.includes(names.address)) {
      return `the pod finds ${name} at ${finding.addresses.join(', ')}, want ${names.address}`;
    }
  }
  return undefined;
}

/** The same of the name outside. Pure. */
export function outsideFault(names: SmokeNames, found: Readonly<Record<string, Finding>>): string | undefined {
  if (names.outside === undefined) return undefined;
  const finding = found[names.outside] ?? { error: 'no answer' };
  return 'error' in finding
    ? `a pod does not find ${names.outside} outside of the cluster, though this machine does: ${finding.error}`
    : undefined;
}
