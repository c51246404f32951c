import { cidrSize, nthAddress, parseCidr } from '../base/cidr.js';

/** The place of the DNS server's address in the service range, by custom. */
const place = 10;

/** True where the range is large enough to have an address for the cluster's DNS. Throws `InvalidConfig` on malformed text. */
export function hasDnsAddress(serviceCidr: string): boolean {
  return cidrSize(parseCidr(serviceCidr)) > BigInt(place);
}

/** The address of the cluster's DNS: the tenth of the service range. Throws `InvalidConfig` where the range is too small. */
export function dnsAddress(serviceCidr: string): string {
  return nthAddress(serviceCidr, place);
}
