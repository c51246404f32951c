import { type Host, listHostDir, readHostText } from './host.js';
import { decodeAddress } from './ports.js';

export interface Route {
  readonly link: string;
  /** Network and prefix length, `10.0.0.0/8`; the default route is `0.0.0.0/0` or `::/0`. */
  readonly destination: string;
  /** Undefined where the network is on the link itself. */
  readonly gateway: string | undefined;
  readonly metric: number;
}

/** The network devices' names. */
export async function listLinks(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  // A file beside the devices, made by the bonding module.
  return (await listHostDir(host, '/sys/class/net')).filter((name) => name !== 'bonding_masters');
}

/** The routes of both families' main tables, without IPv6's own link-local, multicast and local entries. */
export async function listRoutes(host: Pick<Host, 'root'>): Promise<readonly Route[]> {
  const [v4, v6] = await Promise.all([
    readHostText(host, '/proc/net/route'),
    readHostText(host, '/proc/net/ipv6_route'),
  ]);
  return [...parseIpv4Routes(v4 ?? ''), ...parseIpv6Routes(v6 ?? '')];
}

/** Reads /proc/net/route: hex words in the machine's byte order. */
export function parseIpv4Routes(text: string): readonly Route[] {
  const routes: Route[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [link, destination, gateway, , , , metric, mask] = line.trim().split(/\s+/);
    if (!link || !destination || !gateway || !mask) continue;
    const length = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
    routes.push({
      link,
      destination: `${decodeAddress(destination)}/${length}`,
      gateway: gateway === '00000000' ? undefined : decodeAddress(gateway),
      metric: Number(metric),
    });
  }
  return routes;
}

/** RTF_LOCAL, RTF_ANYCAST and RTF_REJECT: entries that the kernel makes for itself. Source: linux/ipv6_route.h. */
const kernelOwnFlags = 0x8000_0000 + 0x0010_0000 + 0x0200;

/** Reads /proc/net/ipv6_route: hex in network byte order. */
export function parseIpv6Routes(text: string): readonly Route[] {
  const routes: Route[] = [];
  for (const line of text.split('\n')) {
    const [destination, length, , , gateway, metric, , , flags, link] = line.trim().split(/\s+/);
    if (!destination || !length || !gateway || !metric || !flags || !link || link === 'lo') continue;
    if ((Number.parseInt(flags, 16) & kernelOwnFlags) !== 0) continue;
    if (/^(?:fe8|ff)/.test(destination)) continue;
    routes.push({
      link,
      destination: `${ipv6Text(destination)}/${Number.parseInt(length, 16)}`,
      gateway: /^0+$/.test(gateway) ? undefined : ipv6Text(gateway),
      metric: Number.parseInt(metric, 16),
    });
  }
  return routes;
}

function ipv6Text(hex: string): string {
  // `decodeAddress` turns each word's bytes round, so they are turned here first.
  return decodeAddress(hex.replace(/(..)(..)(..)(..)/g, '$4$3$2$1'));
}

/** What kube-proxy's ipvs mode leaves: its device and the kernel's virtual servers. hyperup only reports them. */
export async function ipvsLeftovers(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  const found: string[] = [];
  if ((await listLinks(host)).includes('kube-ipvs0')) found.push('network link kube-ipvs0');
  const table = (await readHostText(host, '/proc/net/ip_vs')) ?? '';
  const services = table.split('\n').filter((line) => /^(?:TCP|UDP|SCTP|FWM)\s/.test(line)).length;
  if (services > 0) found.push(`${services} ipvs virtual servers`);
  return found;
}
