import { readFileSync } from 'node:fs';
import { homedir, hostname, networkInterfaces, userInfo } from 'node:os';
import { type Environment, environmentValue } from './environment.js';

/** What the defaults depend on, apart from the environment. */
export interface HostFacts {
  readonly hostname: string;
  readonly homeDir: string;
  readonly workingDir: string;
  /** The default route's interface's IPv4 address, else any that is not a loopback one; undefined where there is none. */
  readonly nodeAddress: string | undefined;
  /** Who called sudo, where the process is root because of it. */
  readonly sudoUser: string | undefined;
}

/** One address of one interface that is up. */
export interface InterfaceAddress {
  readonly interfaceName: string;
  readonly address: string;
}

/** Reads the facts of this host. Under sudo the home folder is root's, since sudo may leave HOME as the caller's. */
export function readHostFacts(env: Environment): HostFacts {
  const isRoot = process.getuid?.() === 0;
  const sudoUser = isRoot ? environmentValue(env, 'SUDO_USER') : undefined;
  const addresses = Object.entries(networkInterfaces()).flatMap(([interfaceName, entries]) =>
    (entries ?? [])
      .filter((entry) => entry.family === 'IPv4')
      .map((entry) => ({ interfaceName, address: entry.address })),
  );
  return {
    hostname: hostname(),
    homeDir: sudoUser !== undefined && sudoUser !== 'root' ? userInfo().homedir : homedir(),
    workingDir: process.cwd(),
    nodeAddress: chooseNodeAddress(readProc('/proc/net/route'), addresses, readProc('/proc/net/fib_trie')),
    sudoUser: sudoUser === 'root' ? undefined : sudoUser,
  };
}

/**
 * The address by which pods and this host reach the API server. A machine without a default route still has the
 * address of another interface, be it of a bridge that is down: the kernel answers to every local address. Loopback
 * never counts, because the API server can't publish it as its endpoint.
 */
export function chooseNodeAddress(
  routes: string,
  addresses: readonly InterfaceAddress[],
  forwardingTable: string,
): string | undefined {
  const wanted = defaultRouteInterface(routes);
  const usable = addresses.filter((entry) => !isLoopback(entry.address));
  const physical = usable.find((entry) => !/^(docker|br-|veth|virbr|cni|flannel)/.test(entry.interfaceName));
  return (
    usable.find((entry) => entry.interfaceName === wanted)?.address ??
    physical?.address ??
    usable[0]?.address ??
    localAddresses(forwardingTable).find((address) => !isLoopback(address))
  );
}

/** The interface of the default route with the lowest metric in `/proc/net/route`. */
export function defaultRouteInterface(routes: string): string | undefined {
  const rows = routes
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').map((cell) => cell.trim()))
    .filter(
      (cells) => cells[1] === '00000000' && cells[7] === '00000000' && (Number.parseInt(cells[3] ?? '0', 16) & 1) === 1,
    )
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return rows[0]?.[0];
}

/** Every address that `/proc/net/fib_trie` lists as the host's own. */
export function localAddresses(forwardingTable: string): readonly string[] {
  const found = forwardingTable.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\s+\/32 host LOCAL/g);
  return [...new Set([...found].flatMap((match) => match[1] ?? []))];
}

/**
 * Every address of this host, those of interfaces that are down included: the kernel answers to them too, and an engine's
 * bridge without containers is such a one.
 */
export function readLocalAddresses(): readonly string[] {
  const listed = Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address));
  return [...new Set([...listed, ...localAddresses(readProc('/proc/net/fib_trie'))])];
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.');
}

/** Empty where the kernel has no such file: a host without IPv4 routes is a host all the same. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
