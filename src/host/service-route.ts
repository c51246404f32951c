import { cidrContains, parseCidr } from '../base/cidr.js';
import { HyperupError } from '../base/errors.js';
import { journaled } from './changes.js';
import type { Host } from './host.js';
import type { Journal } from './journal.js';
import type { HostChange } from './journal-types.js';
import { listRoutes } from './links.js';

type RouteChange = Extract<HostChange, { kind: 'route' }>;

/**
 * Sees to it that this machine finds the way to Service addresses. kube-proxy turns them into others only once the kernel
 * has a route for them, any route, so a machine without a default one gets a route over the interface that has the node's
 * address; nothing is ever sent there. Journaled first. Gives whether it changed anything. Throws `HostChangeFailed`.
 */
export async function ensureServiceRoute(
  journal: Journal,
  { serviceCidr, nodeAddress }: { readonly serviceCidr: string; readonly nodeAddress: string },
  host: Host,
): Promise<boolean> {
  const range = parseCidr(serviceCidr);
  const [address = ''] = serviceCidr.split('/');
  const isCovered = (destination: string) => {
    const route = parseCidr(destination);
    return route.family === 4 && route.prefixLength <= range.prefixLength && cidrContains(route, address);
  };
  if ((await listRoutes(host)).some(({ destination }) => isCovered(destination))) return false;
  // Such as one of the local table, which that list has not.
  if ((await host.run('ip', ['-4', 'route', 'get', address])).exitCode === 0) return false;
  const { stdout } = await host.run('ip', ['-4', '-o', 'address', 'show', 'to', `${nodeAddress}/32`]);
  const link = /^\d+:\s+([^\s@]+)/m.exec(stdout)?.[1];
  if (link === undefined) {
    throw new HyperupError('HostChangeFailed', `route ${serviceCidr}: no interface has ${nodeAddress}`);
  }
  const change: RouteChange = { kind: 'route', destination: serviceCidr, link, source: nodeAddress };
  if (!journaled(journal, change)) await journal.record(change);
  const result = await host.run('ip', ['-4', 'route', 'add', ...routeWords(change)]);
  if (result.exitCode !== 0 && !/File exists/.test(result.stderr)) {
    throw new HyperupError('HostChangeFailed', `route ${serviceCidr} over ${link}: ip ended with ${result.exitCode}`, {
      hint: 'Service addresses need a route: give this machine one, a default route for example.',
      output: result.stderr,
    });
  }
  return true;
}

/** Takes the route away; one that has gone, with its interface for example, is none to take away. */
export async function removeServiceRoute(change: RouteChange, host: Pick<Host, 'run'>): Promise<void> {
  const result = await host.run('ip', ['-4', 'route', 'delete', ...routeWords(change)]);
  if (result.exitCode === 0 || /No such process|Cannot find device/.test(result.stderr)) return;
  throw new HyperupError('LeftBehind', `remove route ${change.destination}: ip ended with ${result.exitCode}`, {
    output: result.stderr,
  });
}

function routeWords({ destination, link, source }: RouteChange): readonly string[] {
  return [destination, 'dev', link, 'src', source];
}
