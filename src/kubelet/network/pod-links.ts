import { formatAddress, parseCidr } from '../../base/cidr.js';

/** What a pod's address makes of the pair of interfaces that leads to it. */
export interface PodLink {
  readonly address: string;
  /** The host's end. Its name is the claim to the address: the kernel has each name once. At most 15 characters. */
  readonly name: string;
  /** Of the pod's end, as Docker makes them: who knew the address's last owner finds the next one at the same place. */
  readonly mac: string;
}

const prefix = 'hup';
/** Docker's own, with the bit that says that it is nobody's product. */
const macPrefix = '02:42';
/** Below this many bits a range is too small to be shared without asking. */
const longestPrefix = 22;

export function podLink(address: string): PodLink {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return { address, name: `${prefix}${bytes.join('')}`, mac: `${macPrefix}:${bytes.join(':')}` };
}

/**
 * Addresses of a bridge's range for pods, one after another and round again: the upper half from its top downwards. The
 * engine gives its own containers the lowest that is free, so that the two never meet. Undefined where the range is too
 * small for that to be certain, or isn't IPv4.
 */
export function podAddresses(subnet: string): (() => string) | undefined {
  const { family, base, prefixLength } = parseCidr(subnet);
  if (family !== 4 || prefixLength > longestPrefix) return undefined;
  const half = 1n << BigInt(31 - prefixLength);
  // Above it is the broadcast address.
  const top = base + 2n * half - 2n;
  let given = 0n;
  return () => {
    const value = top - given;
    given = (given + 1n) % (half - 1n);
    return formatAddress({ family, value });
  };
}

/** What `ip address add` wants: `172.17.255.254/16 brd 172.17.255.255`. */
export function addressArguments(address: string, subnet: string): string {
  const { base, prefixLength } = parseCidr(subnet);
  const last = base + (1n << BigInt(32 - prefixLength)) - 1n;
  return `${address}/${prefixLength} brd ${formatAddress({ family: 4, value: last })}`;
}
