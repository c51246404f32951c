import type { BridgeNetwork } from './runtime-types.js';

/** `GET /networks/bridge`, as far as a kubelet reads it. */
export interface WireBridgeNetwork {
  readonly EnableIPv6?: boolean;
  readonly IPAM?: { readonly Config?: readonly WireSubnet[] | null } | null;
  readonly Options?: Readonly<Record<string, string>> | null;
}

interface WireSubnet {
  readonly Subnet?: string;
  readonly Gateway?: string;
  readonly IPRange?: string;
}

const defaultMtu = 1500;

/** The engine's default network; undefined where it has no IPv4 subnet. */
export function toBridgeNetwork(wire: WireBridgeNetwork): BridgeNetwork | undefined {
  const subnets = wire.IPAM?.Config ?? [];
  const ipv4 = subnets.find(({ Subnet: subnet }) => subnet?.includes('.'));
  if (ipv4?.Subnet === undefined) return undefined;
  const options = wire.Options ?? {};
  return {
    link: options['com.docker.network.bridge.name'] || 'docker0',
    subnet: ipv4.Subnet,
    // Not every engine names it; it is the subnet's first then.
    gateway: ipv4.Gateway || undefined,
    range: ipv4.IPRange || undefined,
    mtu: Number(options['com.docker.network.driver.mtu']) || defaultMtu,
    ipv6: wire.EnableIPv6 === true || subnets.some(({ Subnet: subnet }) => subnet?.includes(':')),
  };
}
